"""PyTorch as a peer: a process that is told on standard input, a line of JSON each, to prepare a case, to call it so
many times, and to write down what it computes. It keeps its own clock, so that nothing of the pipe is measured."""
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F


def attention(x, a):
    q, k, v = x[:3]
    offsets = x[4].tolist()
    count, heads = len(offsets) - 1, a["heads"]
    split = lambda t: t.reshape(count, -1, heads, t.shape[1] // heads).transpose(1, 2)
    bias = x[3].reshape(count, 1, 1, -1)
    y = F.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=bias, scale=a["scale"])
    return y.transpose(1, 2).reshape(q.shape)


def cross_entropy(x, a):
    scale = a["scale"]
    loss = F.cross_entropy(x[0], x[1], ignore_index=a["ignoreIndex"], reduction="none" if scale is None else "sum")
    return loss if scale is None else (loss * scale).reshape(1)


def reduced(f):
    return lambda x, a: f(x[0], dim=tuple(a["axes"]), keepdim=a["keepDims"])


def cut(x, a):
    return x[0].narrow(a["axis"], a["start"], a["end"] - a["start"]).contiguous()


T = lambda t, turn: t.transpose(-1, -2) if turn else t
OPS = {
    "neg": lambda x, a: -x[0], "abs": lambda x, a: x[0].abs(), "exp": lambda x, a: x[0].exp(),
    "log": lambda x, a: x[0].log(), "sqrt": lambda x, a: x[0].sqrt(), "rsqrt": lambda x, a: x[0].rsqrt(),
    "square": lambda x, a: x[0].square(), "reciprocal": lambda x, a: x[0].reciprocal(),
    "tanh": lambda x, a: x[0].tanh(), "sigmoid": lambda x, a: x[0].sigmoid(), "relu": lambda x, a: x[0].relu(),
    "erf": lambda x, a: x[0].erf(), "gelu": lambda x, a: F.gelu(x[0]),
    "geluTanh": lambda x, a: F.gelu(x[0], approximate="tanh"),
    "addScalar": lambda x, a: x[0] + a["c"], "mulScalar": lambda x, a: x[0] * a["c"],
    "powScalar": lambda x, a: x[0] ** a["c"],
    "add": lambda x, a: x[0] + x[1], "sub": lambda x, a: x[0] - x[1], "mul": lambda x, a: x[0] * x[1],
    "div": lambda x, a: x[0] / x[1], "maximum": lambda x, a: torch.maximum(x[0], x[1]),
    "minimum": lambda x, a: torch.minimum(x[0], x[1]),
    "equal": lambda x, a: (x[0] == x[1]).float(), "greater": lambda x, a: (x[0] > x[1]).float(),
    "less": lambda x, a: (x[0] < x[1]).float(),
    "matmul": lambda x, a: T(x[0], a["transposeA"]) @ T(x[1], a["transposeB"]),
    "linear": lambda x, a: F.linear(*x),
    "softmax": lambda x, a: F.softmax(x[0], -1), "logSoftmax": lambda x, a: F.log_softmax(x[0], -1),
    "layerNorm": lambda x, a: F.layer_norm(x[0], x[1].shape, x[1], x[2], a["eps"]),
    "gather": lambda x, a: F.embedding(x[1], x[0]),
    "crossEntropy": cross_entropy, "attention": attention,
    "sum": reduced(torch.sum), "mean": reduced(torch.mean), "max": reduced(torch.amax), "min": reduced(torch.amin),
    "argmax": lambda x, a: x[0].argmax(-1),
    "permute": lambda x, a: x[0].permute(a["axes"]).contiguous(), "slice": cut,
    "concat": lambda x, a: torch.cat(x, a["axis"]), "expand": lambda x, a: x[0].expand(a["shape"]).contiguous(),
    "where": lambda x, a: torch.where(x[0] != 0, x[1], x[2]),
}


class Case:
    def __init__(self, order):
        self.f, self.attrs = OPS[order["op"]], order["attrs"]
        self.inputs = []
        for one in order["inputs"]:
            kind = np.int32 if one["ids"] else np.float32
            tensor = torch.from_numpy(np.fromfile(one["file"], kind).reshape(one["shape"]))
            if one["ids"]:
                tensor = tensor.long()
            self.inputs.append(tensor.requires_grad_(one["gradient"]))
        self.wanted = [t for t in self.inputs if t.requires_grad]
        self.y = self.d_out = None
        if order["backward"]:
            self.y = self.f(self.inputs, self.attrs)
            self.d_out = torch.from_numpy(np.fromfile(order["dOut"], np.float32)).reshape(self.y.shape)

    def call(self):
        if self.y is not None:
            return torch.autograd.grad(self.y, self.wanted, self.d_out, retain_graph=True)
        with torch.no_grad():
            return [self.f(self.inputs, self.attrs)]

    def hands_on(self):
        """Whether all gradients are dOut itself or parts of it: no kernel runs then."""
        if self.y is None:
            return False
        given = self.d_out.untyped_storage().data_ptr()
        return all(gradient.untyped_storage().data_ptr() == given for gradient in self.call())

    def run(self, times):
        start = time.perf_counter()
        for _ in range(times):
            self.call()
        return {"seconds": time.perf_counter() - start}

    def results(self, folder):
        files = []
        for i, tensor in enumerate(self.call()):
            kind = np.int32 if tensor.dtype == torch.int64 else np.float32
            tensor.contiguous().numpy().astype(kind).tofile(f"{folder}/result-{i}")
            files.append({"file": f"{folder}/result-{i}", "ids": kind is np.int32})
        return {"files": files}


def main():
    torch.set_num_threads(int(sys.argv[1]))
    print(json.dumps({"version": torch.__version__, "ops": list(OPS)}), flush=True)
    cases = {}
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["do"] == "prepare":
                cases[order["id"]] = Case(order)
                answer = {"handsOn": cases[order["id"]].hands_on()}
            elif order["do"] == "run":
                answer = cases[order["id"]].run(order["times"])
            elif order["do"] == "results":
                answer = cases[order["id"]].results(order["folder"])
            else:
                cases.pop(order["id"], None)
                answer = {}
        except Exception as error:  # told to the other side, which leaves this case out
            answer = {"error": str(error).splitlines()[0]}
        print(json.dumps(answer), flush=True)


main()
