import { describe, expect, test } from '@jest/globals';
import { apply, noGrad, withObserver } from '../../src/autograd/apply.js';
import { scope } from '../../src/autograd/scope.js';
import { backward } from '../../src/autograd/tape.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { BackendError, DtypeError, ShapeError, UsageError } from '../../src/core/errors.js';
import { add, mulScalar } from '../../src/ops/elementwise.js';
import type { Op } from '../../src/ops/op.js';
import { where } from '../../src/ops/where.js';
import { tensor as create } from '../../src/tensor/create.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { gradOf, playground } from './graph.js';

describe('values used more than once', () => {
  test('a leaf used twice in one op', async () => {
    const { tensor } = playground();
    const x = tensor([2, 3]);
    backward(x.mul(x).sum());
    expect(await gradOf(x)).toEqual([4, 6]);
  });

  test('a diamond: both ways add up', async () => {
    const { tensor } = playground();
    const x = tensor([2]);
    const y = x.square(); // x^2
    backward(y.mul(3).add(y.mul(x)).sum()); // 3 x^2 + x^3
    expect(await gradOf(x)).toEqual([12 + 12]);
  });

  test('a value that flows on unchanged to several readers', async () => {
    const { backend, tensor } = playground();
    const x = tensor([1, 2, 3, 4]);
    scope(() => {
      const y = x.add(0).reshape([2, 2]);
      backward(
        y
          .add(y)
          .add(y.reshape([4]).reshape([2, 2]))
          .sum(),
      );
    });
    expect(await gradOf(x)).toEqual([3, 3, 3, 3]);
    x.grad?.dispose();
    x.dispose();
    expect(backend.liveBytes).toBe(0);
  });

  test('two leaves that get one and the same gradient do not share its memory', async () => {
    const { tensor } = playground();
    const [a, b] = [tensor([1, 1]), tensor([2, 2])];
    backward(a.add(b).sum());
    a.grad?.assign(Float64Array.of(7, 7));
    expect(await gradOf(b)).toEqual([1, 1]);
  });
});

test('one gradient given to two inputs is not one memory', async () => {
  const { tensor } = playground();
  const both: Op = {
    ...add,
    backward: ({ dOut, run }) => {
      const one = run(mulScalar, [dOut], { c: 1 });
      return [one, one];
    },
  };
  const [a, b] = [tensor([1, 1]), tensor([2, 2])];
  const [c, d] = [a.add(0), b.add(0)];
  const fives = c.mul(5).sum(); // recorded before, so walked after: adds to the gradient of c in place
  backward(apply(both, [c, d], {}).sum().add(fives));
  expect([await gradOf(a), await gradOf(b)]).toEqual([
    [6, 6],
    [1, 1],
  ]);
});

describe('depth', () => {
  test('a chain of 100,000 additions needs no recursion', async () => {
    const { backend, tensor } = playground();
    const x = tensor([1]);
    const loss = scope(() => {
      let y = x.mul(2);
      for (let i = 0; i < 100_000; i++) y = y.add(x);
      backward(y);
      return y;
    });
    expect(await loss.item()).toBe(100_002);
    expect(await gradOf(x)).toEqual([100_002]);
    for (const value of [x, x.grad, loss]) value?.dispose();
    expect(backend.liveBytes).toBe(0);
  });
});

describe('accumulation', () => {
  test('two walks add up in grad', async () => {
    const { tensor } = playground();
    const x = tensor([3]);
    backward(x.square());
    backward(x.mul(10));
    expect(await gradOf(x)).toEqual([16]);
  });

  test('grad is written in place: a window of an arena stays the window', async () => {
    const { tensor } = playground();
    const x = tensor([3]);
    backward(x.square());
    const first = x.grad;
    backward(x.square());
    expect(x.grad).toBe(first);
    expect(await gradOf(x)).toEqual([12]);
  });
});

describe('retainGraph', () => {
  test('walks twice over one graph', async () => {
    const { backend, tensor } = playground();
    const x = tensor([1, 2, 3]);
    scope(() => {
      const loss = x.softmax().square().sum();
      backward(loss, { retainGraph: true });
      backward(loss);
    });
    const twice = (await gradOf(x)) as number[];
    const again = tensor([1, 2, 3]);
    scope(() => backward(again.softmax().square().sum()));
    expect(twice).toEqual(((await gradOf(again)) as number[]).map((g) => 2 * g));
    for (const value of [x, x.grad, again, again.grad]) value?.dispose();
    expect(backend.liveBytes).toBe(0);
  });

  test('without it, a second walk over the same loss is refused', () => {
    const { tensor } = playground();
    const loss = tensor([1, 2]).square().sum();
    backward(loss);
    expect(() => backward(loss)).toThrow(ShapeError);
  });

  test('without it, a second loss that shares part of the way is refused, and nothing is freed or leaked', () => {
    const { backend, tensor } = playground();
    const x = tensor([1, 2]);
    const shared = x.mul(2).keep();
    const [first, second] = [shared.sum(), shared.add(1).sum()];
    backward(first);
    const before = backend.liveBytes;
    expect(() => backward(second)).toThrow(BackendError);
    expect(backend.liveBytes).toBe(before);
  });

  test('with it, two losses may share part of the way', async () => {
    const { tensor } = playground();
    const x = tensor([1, 2]);
    const shared = x.square();
    const [first, second] = [shared.sum(), shared.mul(10).sum()];
    backward(first, { retainGraph: true });
    backward(second);
    expect(await gradOf(x)).toEqual([22, 44]);
  });
});

describe('what does not record', () => {
  test('noGrad leaves no history, frees row statistics, and ends with its body', () => {
    const { backend, tensor } = playground();
    const [x, gamma, beta] = [tensor([[1, 2]]), tensor([1, 1]), tensor([0, 0])];
    const before = backend.liveBytes;
    const y = noGrad(() => x.layerNorm(gamma, beta));
    expect([y.requiresGrad, y.node]).toEqual([false, null]);
    expect(backend.liveBytes - before).toBe(2 * 8);
    expect(() => noGrad(() => x.add(tensor([1, 2, 3])))).toThrow(ShapeError);
    expect(x.add(1).requiresGrad).toBe(true);
  });

  test('detach cuts the way back, and shares memory', async () => {
    const { backend, tensor } = playground();
    const x = tensor([3]);
    const y = x.square();
    const before = backend.liveBytes;
    const cut = y.detach();
    expect(backend.liveBytes).toBe(before);
    backward(cut.mul(x)); // 9 x, and not x^3
    expect(await gradOf(x)).toEqual([9]);
  });

  test('nothing is recorded where nothing wants a gradient', () => {
    const { tensor } = playground();
    const x = tensor([1], { requiresGrad: false });
    expect(x.exp().node).toBeNull();
    expect(() => backward(x.exp())).toThrow(ShapeError);
  });

  test('an op without gradient ends the way back', () => {
    const { tensor } = playground();
    const x = tensor([1, 2]);
    expect(x.greater(x).requiresGrad).toBe(false);
    expect(x.argmax().requiresGrad).toBe(false);
  });
});

describe('retainGrad and keep', () => {
  test('retainGrad leaves the gradient of an interior value', async () => {
    const { tensor } = playground();
    const x = tensor([2]);
    const y = x.square().retainGrad();
    backward(y.mul(5));
    expect(await gradOf(y)).toEqual([5]);
    expect(await gradOf(x)).toEqual([20]);
  });

  test('activations are freed by the walk, kept ones are not', async () => {
    const { tensor } = playground();
    const x = tensor([2]);
    const [a, b] = [x.square(), x.exp().keep()];
    const loss = a.mul(b);
    backward(loss);
    expect([a.freed, b.freed, loss.freed, x.freed]).toEqual([true, false, false, false]);
    await expect(a.data()).rejects.toThrow('was freed');
    expect(await b.item()).toBe(Math.exp(2));
  });
});

describe('mistakes are named', () => {
  test('a loss of several elements', () => {
    const { tensor } = playground();
    expect(() => backward(tensor([1, 2]).square())).toThrow('backward: starts from one number, a loss; got [2]');
  });

  test('two backends in one op', () => {
    const { tensor } = playground();
    const other = create([1], undefined, { backend: createJsBackend('f64') });
    expect(() => tensor([1]).add(other)).toThrow(BackendError);
  });

  test('two float types in one op, and floats for integers', () => {
    const { backend, tensor } = playground();
    const single = create([1], undefined, { backend, dtype: 'f32' });
    expect(() => tensor([1]).add(single)).toThrow(DtypeError);
    expect(() => tensor([[1]]).gather(tensor([0]))).toThrow(DtypeError);
  });

  test('a mask that wants a gradient', () => {
    const { tensor } = playground();
    const x = tensor([1, 0]);
    expect(() => apply<Tensor, object>(where, [x, x, x], {})).toThrow(UsageError);
  });

  test('a value that is written between the forward pass and the way back', () => {
    const { tensor } = playground();
    const x = tensor([1, 2]);
    const loss = x.square().sum();
    x.assign(Float64Array.of(5, 5));
    expect(() => backward(loss)).toThrow(UsageError);
    const y = x.exp();
    y.assign(Float64Array.of(0, 0));
    expect(() => backward(y.sum())).toThrow(UsageError);
    backward(x.square().sum()); // written before: no harm
  });
});

test('an observer sees forward and backward results, by name', () => {
  const { tensor } = playground();
  const seen: string[] = [];
  withObserver(
    (op) => seen.push(op.name),
    () => backward(tensor([1, 2]).softmax().mul(2).sum()),
  );
  expect(seen).toEqual(['softmax', 'mulScalar', 'sum', 'expand', 'mulScalarGrad', 'softmaxGrad']);
});
