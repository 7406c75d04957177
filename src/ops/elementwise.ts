// Functions of single elements: a row each, with formula, value and derivative. `c` is the function's constant.
import { erf as erfOf } from '../core/special.js';
import { binaryOp } from './binary-op.js';
import { type Arg, type BackwardCtx, notDifferentiable, type Op } from './op.js';
import { unaryOp } from './unary-op.js';

export const neg = unaryOp({
  name: 'neg',
  doc: {
    formula: 'y = -x',
    gradient: 'dX = -dOut',
    why: {
      en: 'the slope is -1 everywhere: what raises y lowers x',
      zh: '导数处处为 -1：梯度只改变符号',
    },
    source: 'definition',
  },
  js: (x) => -x,
  dJs: () => -1,
  samples: { extreme: [-1e38, 1e38] },
});

export const abs = unaryOp({
  name: 'abs',
  doc: {
    formula: 'y = |x|',
    gradient: 'dX = dOut sign(x), 0 at x = 0',
    why: {
      en: 'at the kink any slope in [-1, 1] is a subgradient; 0 is the one in the middle, and what PyTorch takes',
      zh: '零点处不可导，[-1, 1] 内任一值都是次梯度；这里取中间的 0，与 PyTorch 一致',
    },
    source: 'PyTorch, torch.abs',
  },
  js: Math.abs,
  dJs: (x) => Math.sign(x),
  samples: { extreme: [-1e38, 1e38], kink: true },
});

export const exp = unaryOp({
  name: 'exp',
  doc: {
    formula: 'y = e^x',
    gradient: 'dX = dOut y',
    why: {
      en: 'the exponential is its own derivative, so the backward pass needs the result and not the input',
      zh: '指数函数的导数是它自己，反向传播只需要结果，不需要输入',
    },
    source: 'definition of e',
  },
  js: Math.exp,
  dJs: (_x, y) => y,
  samples: { extreme: [-80, 80] },
});

export const log = unaryOp({
  name: 'log',
  doc: {
    formula: 'y = ln x',
    gradient: 'dX = dOut / x',
    why: {
      en: 'natural logarithm: losses are measured in nats; -Infinity at 0 and NaN below, as IEEE 754 has it',
      zh: '取自然对数，所以损失以奈特为单位；0 处为负无穷，负数处为 NaN，遵循 IEEE 754',
    },
    source: 'IEEE 754-2019, sec. 9.2',
  },
  js: Math.log,
  dJs: (x) => 1 / x,
  samples: { range: [0.1, 3], extreme: [1e-30, 1e30] },
});

export const sqrt = unaryOp({
  name: 'sqrt',
  doc: {
    formula: 'y = sqrt(x)',
    gradient: 'dX = dOut / (2 y)',
    why: {
      en: 'the slope grows without limit towards 0: add a small eps first where x can be 0',
      zh: '越接近 0 导数越大，直至无穷：x 可能为 0 时，先加一个很小的 eps',
    },
    source: 'IEEE 754-2019, sec. 5.4.1',
  },
  js: Math.sqrt,
  dJs: (_x, y) => 0.5 / y,
  samples: { range: [0.1, 3], extreme: [1e-30, 1e30] },
});

export const rsqrt = unaryOp({
  name: 'rsqrt',
  doc: {
    formula: 'y = 1 / sqrt(x)',
    gradient: 'dX = -dOut y^3 / 2',
    why: {
      en: 'normalization divides by a standard deviation; one division per row, then only products',
      zh: '归一化要除以标准差：每行只做一次除法，其余全是乘法',
    },
    source: 'd/dx x^(-1/2) = -x^(-3/2) / 2',
  },
  js: (x) => 1 / Math.sqrt(x),
  dJs: (_x, y) => -0.5 * y * y * y,
  samples: { range: [0.2, 3], extreme: [1e-12, 1e20] },
});

export const square = unaryOp({
  name: 'square',
  doc: {
    formula: 'y = x^2',
    gradient: 'dX = 2 x dOut',
    why: {
      en: 'one product: cheaper and more exact than a general power',
      zh: '只需一次乘法，比一般的幂运算更快也更准',
    },
    source: 'definition',
  },
  js: (x) => x * x,
  dJs: (x) => 2 * x,
  samples: { extreme: [-1e18, 1e18] },
});

export const reciprocal = unaryOp({
  name: 'reciprocal',
  doc: {
    formula: 'y = 1 / x',
    gradient: 'dX = -dOut y^2',
    why: {
      en: 'by the result: -1 / x^2 is -y^2, and no second division is needed',
      zh: '导数 -1 / x^2 就是 -y^2，利用结果可以少做一次除法',
    },
    source: 'd/dx x^(-1) = -x^(-2)',
  },
  js: (x) => 1 / x,
  dJs: (_x, y) => -y * y,
  samples: { range: [0.2, 3], extreme: [1e10, 1e18] },
});

export const tanh = unaryOp({
  name: 'tanh',
  doc: {
    formula: 'y = tanh x = (e^x - e^-x) / (e^x + e^-x)',
    gradient: 'dX = dOut (1 - y^2)',
    why: {
      en: "BERT's pooler ends in it: values stay within (-1, 1), and the slope follows from the result alone",
      zh: 'BERT 的池化层以它收尾：取值限制在 (-1, 1) 之间，导数由结果直接得到',
    },
    source: 'google-research/bert modeling.py:231',
  },
  js: Math.tanh,
  dJs: (_x, y) => 1 - y * y,
  samples: { extreme: [-100, 100] },
});

export const sigmoid = unaryOp({
  name: 'sigmoid',
  doc: {
    formula: 'y = 1 / (1 + e^-x)',
    gradient: 'dX = dOut y (1 - y)',
    why: {
      en: 'turns a logit into a probability; for x < 0 it is computed as e^x / (1 + e^x), so that nothing overflows',
      zh: '把 logit 变成概率；x < 0 时改用 e^x / (1 + e^x) 计算，避免溢出',
    },
    source: 'definition of the logistic function',
  },
  js: (x) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x))),
  dJs: (_x, y) => y * (1 - y),
  samples: { extreme: [-80, 80] },
});

export const relu = unaryOp({
  name: 'relu',
  doc: {
    formula: 'y = max(x, 0)',
    gradient: 'dX = dOut where x > 0, else 0',
    why: {
      en: 'the simplest activation function; at 0 the slope is taken as 0, as PyTorch does; NaN stays NaN',
      zh: '最简单的激活函数；0 处导数取 0，与 PyTorch 一致；NaN 保持为 NaN',
    },
    source: 'Nair and Hinton 2010, ICML',
  },
  js: (x) => Math.max(x, 0),
  dJs: (x) => (x > 0 ? 1 : 0),
  samples: { extreme: [-1e38, 1e38], kink: true },
});

export const erf = unaryOp({
  name: 'erf',
  doc: {
    formula: 'y = 2 / sqrt(pi) * integral of e^(-t^2) from 0 to x',
    gradient: 'dX = dOut 2 / sqrt(pi) e^(-x^2)',
    why: {
      en: 'the exact GELU needs it: (1 + erf(x / sqrt 2)) / 2 is the chance that a standard normal number is below x',
      zh: '精确的 GELU 要用它：(1 + erf(x / sqrt 2)) / 2 就是标准正态变量小于 x 的概率',
    },
    source: 'Abramowitz and Stegun 7.1.1; fdlibm s_erf.c',
  },
  js: erfOf,
  dJs: (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x),
  samples: { extreme: [-10, 10] },
});

export const addScalar = unaryOp({
  name: 'addScalar',
  doc: {
    formula: 'y = x + c',
    gradient: 'dX = dOut',
    why: {
      en: 'a number needs no tensor of its own; a shift leaves the slope as it is',
      zh: '常数不必先变成张量；平移不改变导数',
    },
    source: 'definition',
  },
  js: (x, c) => x + c,
  dJs: () => 1,
  backward: ({ dOut }) => [dOut], // handed on: no kernel runs
  samples: { c: [1.5, -0.25, 1e-12], extreme: [-1e38, 1e38] },
});

export const mulScalar = unaryOp({
  name: 'mulScalar',
  doc: {
    formula: 'y = c x',
    gradient: 'dX = c dOut',
    why: {
      en: 'attention scores are scaled by 1 / sqrt(headDim) this way, losses by 1 / number of labels',
      zh: '注意力分数乘以 1 / sqrt(headDim)、损失除以标签个数，用的都是它',
    },
    source: 'Vaswani et al. 2017, arXiv:1706.03762, sec. 3.2.1',
  },
  js: (x, c) => x * c,
  dJs: (_x, _y, c) => c,
  samples: { c: [-0.7, 3, 0, 1e-3], extreme: [-1e38, 1e38] },
});

export const powScalar = unaryOp({
  name: 'powScalar',
  doc: {
    formula: 'y = x^c',
    gradient: 'dX = dOut c x^(c - 1)',
    why: {
      en: 'the exponent is a number, not a tensor; for c = 0 the gradient is 0 even at x = 0, as in PyTorch',
      zh: '指数是常数而不是张量；c = 0 时梯度恒为 0，x = 0 处也一样，与 PyTorch 一致',
    },
    source: 'PyTorch, torch.pow',
  },
  js: (x, c) => x ** c,
  dJs: (x, _y, c) => (c === 0 ? 0 : c * x ** (c - 1)),
  samples: { c: [2.5, 2, 3, -1, 0.5, 1, 0], range: [0.1, 3], extreme: [1e-6, 1e6] },
});

export const add = binaryOp({
  name: 'add',
  doc: {
    formula: 'y = a + b',
    gradient: 'dA = dOut, dB = dOut, each summed over the axes that broadcasting repeated',
    why: {
      en: 'an element that was read n times influences n results, so its gradient is the sum of theirs',
      zh: '广播使一个元素被用了 n 次，它影响 n 个结果，因此梯度是这 n 处之和',
    },
    source: 'NumPy, broadcasting rules',
  },
  js: (a, b) => a + b,
  slopes: [({ dOut }) => dOut, ({ dOut }) => dOut],
  samples: { extreme: [-1e38, 1e38] },
});

export const sub = binaryOp({
  name: 'sub',
  doc: {
    formula: 'y = a - b',
    gradient: 'dA = dOut, dB = -dOut, summed over repeated axes',
    why: {
      en: 'as a sum, with the sign of b turned',
      zh: '与加法相同，只是 b 的梯度变号',
    },
    source: 'NumPy, broadcasting rules',
  },
  js: (a, b) => a - b,
  slopes: [({ dOut }) => dOut, ({ dOut, run }) => run(neg, [dOut], { c: 0 })],
  samples: { extreme: [-1e38, 1e38] },
});

export const mul = binaryOp({
  name: 'mul',
  doc: {
    formula: 'y = a b, element by element',
    gradient: 'dA = dOut b, dB = dOut a, summed over repeated axes',
    why: {
      en: 'the product rule: each factor is scaled by the other; with the same tensor twice both parts add up to 2 a dOut',
      zh: '乘积法则：一个因子的梯度要乘另一个因子；两个输入是同一张量时，两部分相加得 2 a dOut',
    },
    source: 'product rule',
  },
  js: (a, b) => a * b,
  slopes: [
    ({ inputs: [, b], dOut, run }) => run(mul, [dOut, b], {}),
    ({ inputs: [a], dOut, run }) => run(mul, [dOut, a], {}),
  ],
  samples: { extreme: [-1e18, 1e18] },
});

export const div = binaryOp({
  name: 'div',
  doc: {
    formula: 'y = a / b',
    gradient: 'dA = dOut / b, dB = -dOut y / b, summed over repeated axes',
    why: {
      en: 'with the result y at hand, -a / b^2 is -y / b: the square of b, which could overflow, is never formed',
      zh: '利用结果 y，-a / b^2 写成 -y / b，不必计算可能溢出的 b 的平方',
    },
    source: 'quotient rule',
  },
  js: (a, b) => a / b,
  slopes: [
    ({ inputs: [, b], dOut, run }) => run(div, [dOut, b], {}),
    ({ inputs: [, b], out, dOut, run }) => run(neg, [run(div, [run(mul, [dOut, out], {}), b], {})], { c: 0 }),
  ],
  samples: { rangeB: [0.3, 2], extreme: [1e12, 1e18] },
});

const jump = notDifferentiable('the result jumps between 0 and 1; its slope is 0 or undefined everywhere');

export const equal = binaryOp({
  name: 'equal',
  doc: {
    formula: 'y = 1 where a = b, else 0',
    gradient: 'none: the result jumps',
    why: {
      en: 'counts hits, and finds the places that hold a maximum; NaN equals nothing, itself included',
      zh: '用来统计命中数、找出最大值所在处；NaN 与任何值都不相等，包括它自己',
    },
    source: 'IEEE 754-2019, sec. 5.11',
  },
  js: (a, b) => (a === b ? 1 : 0),
  slopes: jump,
  samples: { extreme: [-1e38, 1e38] },
});

export const greater = binaryOp({
  name: 'greater',
  doc: {
    formula: 'y = 1 where a > b, else 0',
    gradient: 'none: the result jumps',
    why: {
      en: 'makes a mask of 0 and 1 that can be multiplied with; false wherever NaN takes part',
      zh: '得到由 0 和 1 组成的掩码，可直接参与乘法；只要有 NaN 就为 0',
    },
    source: 'IEEE 754-2019, sec. 5.11',
  },
  js: (a, b) => (a > b ? 1 : 0),
  slopes: jump,
  samples: { extreme: [-1e38, 1e38] },
});

export const less = binaryOp({
  name: 'less',
  doc: {
    formula: 'y = 1 where a < b, else 0',
    gradient: 'none: the result jumps',
    why: {
      en: 'the mirror image of greater; not 1 - greater, which would call equal numbers less',
      zh: '与 greater 对称；它不等于 1 - greater，否则相等的数也会算作小于',
    },
    source: 'IEEE 754-2019, sec. 5.11',
  },
  js: (a, b) => (a < b ? 1 : 0),
  slopes: jump,
  samples: { extreme: [-1e38, 1e38] },
});

export const maximum = binaryOp({
  name: 'maximum',
  doc: {
    formula: 'y = max(a, b)',
    gradient: 'dA = dOut (1 - [a < b] - [a = b] / 2), dB likewise; summed over repeated axes',
    why: {
      en: 'the larger one gets the gradient; at a tie each gets half, as in PyTorch, so that nothing is counted twice',
      zh: '较大的一方得到梯度；相等时各得一半，与 PyTorch 一致，避免重复计算',
    },
    source: 'PyTorch, torch.maximum',
  },
  js: Math.max,
  slopes: [(ctx) => won(ctx, less, 0, 1), (ctx) => won(ctx, less, 1, 0)],
  samples: { extreme: [-1e38, 1e38], kink: true },
});

export const minimum = binaryOp({
  name: 'minimum',
  doc: {
    formula: 'y = min(a, b)',
    gradient: 'dA = dOut (1 - [a > b] - [a = b] / 2), dB likewise; summed over repeated axes',
    why: {
      en: 'the smaller one gets the gradient; at a tie each gets half, as in PyTorch',
      zh: '较小的一方得到梯度；相等时各得一半，与 PyTorch 一致',
    },
    source: 'PyTorch, torch.minimum',
  },
  js: Math.min,
  slopes: [(ctx) => won(ctx, greater, 0, 1), (ctx) => won(ctx, greater, 1, 0)],
  samples: { extreme: [-1e38, 1e38], kink: true },
});

/** dOut where input `self` won, half of it at a tie, 0 where it lost. */
function won({ inputs, dOut, run }: BackwardCtx<object>, lost: Op, self: number, other: number): Arg {
  const pair = [inputs[self], inputs[other]];
  const half = run(mulScalar, [run(equal, pair, {})], { c: 0.5 });
  const share = run(sub, [run(addScalar, [run(mulScalar, [run(lost, pair, {})], { c: -1 })], { c: 1 }), half], {});
  return run(mul, [dOut, share], {});
}
