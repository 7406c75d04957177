"""Golden values and gradients of every op, from PyTorch's CPU in float64.

  python3 test/golden/ops.py       (pip install torch)

Writes ops.json beside itself: one case per op and variant, with inputs, attributes, result, the gradient that is
sent back, and the gradient of each input (null where there is none).
"""
import json
import os

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
G = torch.Generator().manual_seed(3)


def draw(shape, low, high):
    """Uniform numbers of six decimals, which the file holds as they are."""
    return (torch.rand(*shape, generator=G, dtype=torch.float64) * (high - low) + low).round(decimals=6)


def real(*shape, low=-2.0, high=2.0):
    return draw(shape, low, high).requires_grad_()


def ids(n, *shape):
    return torch.randint(0, n, shape, generator=G)


CASES = []


def numbers(t):
    return [float(f"{v:.12g}") if isinstance(v, float) else v for v in t.detach().flatten().tolist()]


def packed(t):
    return {"shape": list(t.shape), "dtype": "float" if t.is_floating_point() else "i32", "values": numbers(t)}


def case(op, inputs, attrs, out):
    entry = {"op": op, "inputs": [packed(t) for t in inputs], "attrs": attrs, "out": packed(out)}
    if out.is_floating_point() and out.requires_grad:
        d_out = draw(out.shape, -1, 1)
        out.backward(d_out)
        entry["dOut"] = numbers(d_out)
        entry["grads"] = [numbers(t.grad) if t.is_floating_point() and t.grad is not None else None for t in inputs]
    CASES.append(entry)


def unary(op, f, attrs=None, **bounds):
    x = real(3, 5, **bounds)
    case(op, [x], attrs or {"c": 0}, f(x))


unary("neg", torch.neg)
unary("abs", torch.abs)
unary("exp", torch.exp)
unary("log", torch.log, low=0.1, high=3)
unary("sqrt", torch.sqrt, low=0.1, high=3)
unary("rsqrt", torch.rsqrt, low=0.1, high=3)
unary("square", torch.square)
unary("reciprocal", torch.reciprocal, low=0.2, high=3)
unary("tanh", torch.tanh)
unary("sigmoid", torch.sigmoid)
unary("relu", torch.relu)
unary("erf", torch.erf)
unary("gelu", F.gelu)
unary("gelu", F.gelu, low=-9, high=9)
unary("geluTanh", lambda x: F.gelu(x, approximate="tanh"))
unary("geluTanh", lambda x: F.gelu(x, approximate="tanh"), low=-9, high=9)
unary("addScalar", lambda x: x + 1.5, {"c": 1.5})
unary("mulScalar", lambda x: x * -0.7, {"c": -0.7})
unary("powScalar", lambda x: x ** 2.5, {"c": 2.5}, low=0.1, high=3)

for name, f in [("add", torch.add), ("sub", torch.sub), ("mul", torch.mul), ("div", torch.div),
                ("maximum", torch.maximum), ("minimum", torch.minimum)]:
    a, b = real(2, 3, 4), real(3, 1, low=0.3, high=2)
    case(name, [a, b], {}, f(a, b))
for name, f in [("equal", torch.eq), ("greater", torch.gt), ("less", torch.lt)]:
    a, b = real(2, 3).detach().round(), real(2, 3).detach().round()
    case(name, [a, b], {}, f(a, b).double())

for ta in (False, True):
    for tb in (False, True):
        a = real(2, 1, 5, 3) if ta else real(2, 1, 3, 5)
        b = real(4, 4, 5) if tb else real(4, 5, 4)
        left = a.transpose(-1, -2) if ta else a
        right = b.transpose(-1, -2) if tb else b
        case("matmul", [a, b], {"transposeA": ta, "transposeB": tb}, left @ right)
x, w, bias = real(2, 3, 5), real(4, 5), real(4)
case("linear", [x, w, bias], {}, F.linear(x, w, bias))

x = real(2, 3, 4)
case("sum", [x], {"axes": [1], "keepDims": False}, x.sum(1))
x = real(2, 3, 4)
case("mean", [x], {"axes": [0, 2], "keepDims": True}, x.mean((0, 2), keepdim=True))
x = real(2, 3, 4)
case("max", [x], {"axes": [2], "keepDims": False}, x.amax(2))
x = real(2, 3, 4)
case("min", [x], {"axes": [1], "keepDims": False}, x.amin(1))
x = real(4, 7).detach()
case("argmax", [x], {}, x.argmax(-1))
for scale in (1, 30):
    x = real(3, 7, low=-2 * scale, high=2 * scale)
    case("softmax", [x], {}, F.softmax(x, -1))
    x = real(3, 7, low=-2 * scale, high=2 * scale)
    case("logSoftmax", [x], {}, F.log_softmax(x, -1))
x, gamma, beta = real(2, 3, 6), real(6), real(6)
case("layerNorm", [x, gamma, beta], {"eps": 1e-12}, F.layer_norm(x, (6,), gamma, beta, 1e-12))
table, index = real(7, 4), ids(7, 2, 5)
case("gather", [table, index], {}, F.embedding(index, table))
for scale in (None, 0.25):
    logits, labels = real(5, 9), ids(9, 5)
    labels[1] = -1
    reduction = "none" if scale is None else "sum"  # the loss of each row, or their scaled sum
    loss = F.cross_entropy(logits, labels, ignore_index=-1, reduction=reduction) * (scale or 1)
    case("crossEntropy", [logits, labels], {"ignoreIndex": -1, "scale": scale}, loss.reshape(-1))
x = real(2, 6)
case("reshape", [x], {"shape": [3, 4]}, x.reshape(3, 4))
x = real(2, 3, 4)
case("permute", [x], {"axes": [2, 0, 1]}, x.permute(2, 0, 1))
x = real(3, 5, 2)
case("slice", [x], {"axis": 1, "start": 1, "end": 4}, x[:, 1:4])
a, b = real(2, 3), real(2, 2)
case("concat", [a, b], {"axis": 1}, torch.cat([a, b], 1))
condition = (real(3, 4).detach() > 0).double()
a, b = real(3, 4), real(3, 4)
case("where", [condition, a, b], {}, torch.where(condition != 0, a, b))
x = real(3, 1)
case("expand", [x], {"shape": [2, 3, 4]}, x.expand(2, 3, 4))

# Two sequences of 3 and 5 rows, laid end to end; the last key of the second is hidden.
heads, dim, lengths = 2, 3, [3, 5]
q, k, v = (real(8, heads * dim) for _ in range(3))
bias = torch.zeros(8, dtype=torch.float64)
bias[7] = -10000
outs, start = [], 0
for n in lengths:
    part = [t[start:start + n].reshape(n, heads, dim).transpose(0, 1) for t in (q, k, v)]
    scores = part[0] @ part[1].transpose(-1, -2) * dim ** -0.5 + bias[start:start + n]
    outs.append((F.softmax(scores, -1) @ part[2]).transpose(0, 1).reshape(n, heads * dim))
    start += n
offsets = torch.tensor([0, 3, 8])
case("attention", [q, k, v, bias, offsets], {"heads": heads, "scale": dim ** -0.5, "maxSeq": 5, "dropout": None},
     torch.cat(outs))

# The same where some rows alone ask: none of the first sequence, places 4 and 1 of the second.
q = real(2, heads * dim)
k, v = (real(8, heads * dim) for _ in range(2))
part = [t.reshape(-1, heads, dim).transpose(0, 1) for t in (q, k[3:], v[3:])]
probs = F.softmax(part[0] @ part[1].transpose(-1, -2) * dim ** -0.5 + bias[3:], -1)
case("attention", [q, k, v, bias, offsets, torch.tensor([0, 0, 2]), torch.tensor([4, 1])],
     {"heads": heads, "scale": dim ** -0.5, "maxSeq": 5, "dropout": None},
     (probs @ part[2]).transpose(0, 1).reshape(2, heads * dim))
x, residual, gamma, beta = real(2, 3, 6), real(2, 3, 6), real(6), real(6)
case("residualNorm", [x, residual, gamma, beta], {"eps": 1e-12, "dropout": None},
     F.layer_norm(x + residual, (6,), gamma, beta, 1e-12))
tables, gamma, beta = [real(n, 6) for n in (7, 4, 2)], real(6), real(6)
index = [ids(n, 5) for n in (7, 4, 2)]
case("embeddingNorm", [*tables, gamma, beta, *index], {"eps": 1e-12, "dropout": None},
     F.layer_norm(sum(F.embedding(i, t) for i, t in zip(index, tables)), (6,), gamma, beta, 1e-12))
x, w, bias, labels = real(5, 4), real(9, 4), real(9), ids(9, 5)
logits = F.linear(x, w, bias)
labels[0], labels[1] = logits[0].argmax(), -1
loss = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum") * 0.25
case("linearCrossEntropy", [x, w, bias, labels], {"ignoreIndex": -1, "scale": 0.25},
     torch.stack([loss, (logits.argmax(-1) == labels).sum().double()]))

for activation, f in (("gelu", F.gelu), ("geluTanh", lambda u: F.gelu(u, approximate="tanh")), ("relu", F.relu)):
    x, w1, b1, w2, b2 = real(2, 3, 5), real(7, 5), real(7), real(4, 7), real(4)
    case("feedForward", [x, w1, b1, w2, b2], {"activation": activation}, F.linear(f(F.linear(x, w1, b1)), w2, b2))

with open(os.path.join(HERE, "ops.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in CASES) + "\n]\n")
