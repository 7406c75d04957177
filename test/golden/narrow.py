"""Golden values of products in fewer bits, from PyTorch's CPU.

  python3 test/golden/narrow.py       (pip install torch)

Writes narrow.json beside itself. bf16: both factors rounded by PyTorch, multiplied in float64, forward and back, and
PyTorch's own bf16 product, whose result has 8 bits. int8: columns of weights (symmetric) and rows of activations
(affine, 0 inside) through PyTorch's fake quantization, multiplied in float64; and the integers themselves.
"""
import json
import os

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
G = torch.Generator().manual_seed(5)
M, K, N = 7, 40, 9


def draw(*shape, low=-2.0, high=2.0):
    return (torch.rand(*shape, generator=G) * (high - low) + low).mul(4096).round().div(4096)


def numbers(t):
    return [float(f"{v:.12g}") for v in t.double().flatten().tolist()]


def half(t):
    return t.bfloat16().double()


def bf16(x, w, d_out):
    return {
        "out": numbers(half(x) @ half(w)),
        "ownOut": numbers(x.bfloat16() @ w.bfloat16()),
        "dX": numbers(half(d_out) @ half(w).T),
        "dW": numbers(half(x).T @ half(d_out)),
    }


def int8(x, w):
    low, high = x.amin(1).clamp(max=0), x.amax(1).clamp(min=0)
    row_scale = high / 255 - low / 255
    zero = torch.round(-low / row_scale).to(torch.int32)
    column_scale = w.abs().amax(0) / 127
    rows = torch.fake_quantize_per_channel_affine(x, row_scale, zero, 0, 0, 255)
    columns = torch.fake_quantize_per_channel_affine(w, column_scale, torch.zeros(N, dtype=torch.int32), 1, -127, 127)
    return {
        "out": numbers(rows.double() @ columns.double()),
        "rows": numbers((rows / row_scale[:, None]).round() + zero[:, None]),
        "columns": numbers((columns / column_scale).round()),
        "zero": numbers(zero),
    }


X, W, D_OUT = draw(M, K), draw(K, N, low=-1.0, high=0.5), draw(M, N)
X[1] = X[1].abs()  # a row on one side of 0
X[2] *= 2.0**-12  # small numbers
with open(os.path.join(HERE, "narrow.json"), "w") as file:
    whole = {"m": M, "k": K, "n": N, "x": numbers(X), "w": numbers(W), "dOut": numbers(D_OUT)}
    json.dump({**whole, "bf16": bf16(X, W, D_OUT), "int8": int8(X, W)}, file)
    file.write("\n")
