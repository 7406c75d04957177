// What runs in the page: every contender is set up and checked, then all are timed in turns.
import { adapters, FORWARD, MATMUL } from './contenders.mjs';

/** Numbers in [-0.5, 0.5) that are the same every time. */
function numbers(length, seed) {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

const matmulWork = ([m, k, n]) => ({ m, k, n, a: numbers(m * k, 1), b: numbers(k * n, 2) });

/** Error of sampled elements, relative to what rounding allows: k u |x| . |w| (Higham 2002, sec. 3.1). */
function matmulError({ a, b, m, k, n }, got) {
  let worst = 0;
  for (let s = 0; s < 64; s++) {
    const [row, col] = [(s * 37) % m, (s * 101) % n];
    let [sum, size] = [0, 0];
    for (let i = 0; i < k; i++) {
      const product = a[row * k + i] * b[i * n + col];
      sum += product;
      size += Math.abs(product);
    }
    worst = Math.max(worst, Math.abs(got[row * n + col] - sum) / (k * 2 ** -24 * size));
  }
  return worst;
}

/** Largest difference, relative to the largest element, over that which a few dozen layers of float32 may have. */
function forwardError(want, got) {
  const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const apart = want.reduce((most, x, i) => Math.max(most, Math.abs(x - got[i])), 0);
  return got.length === want.length ? apart / largest / 1e-4 : Number.POSITIVE_INFINITY;
}

/** Sets up those asked for; a peer that fails is left out and says why. */
async function setUp(makers, names, work, log) {
  const ready = [];
  for (const name of names) {
    try {
      const contender = await makers[name](work);
      await contender.run();
      ready.push({ name, contender, times: [] });
    } catch (error) {
      log(`${name}: left out: ${error?.message ?? error}`);
    }
  }
  return ready;
}

async function timed({ contender }) {
  await contender.before?.();
  const begun = performance.now();
  await contender.run();
  return performance.now() - begun;
}

/** Rounds in turns, every other one backwards, so that a drift hits all alike. */
async function rounds(ready, { seconds, least }) {
  const begun = performance.now();
  for (let round = 0; round < least || performance.now() - begun < 1000 * seconds; round++) {
    if (round >= 60) break;
    for (const one of round % 2 === 0 ? ready : [...ready].reverse()) one.times.push(await timed(one));
  }
}

async function check(kind, work, ready) {
  const results = [];
  for (const { contender } of ready) {
    await contender.before?.();
    results.push(await contender.read());
  }
  ready.forEach((one, i) => {
    one.error = kind === 'matmul' ? matmulError(work, results[i]) : forwardError(results[0], results[i]);
    if (!(one.error <= 1)) throw new Error(`${one.name} computes something else: ${one.error} times what is allowed`);
  });
}

/** @returns times in ms by contender, and the error as a share of what is allowed */
export async function compare({ kind, shape, names, seconds, least }, log) {
  const work = kind === 'matmul' ? matmulWork(shape) : shape;
  const ready = await setUp(kind === 'matmul' ? MATMUL : FORWARD, names, work, log);
  await check(kind, work, ready);
  await rounds(ready, { seconds, least });
  for (const { contender } of ready) {
    await contender.before?.();
    contender.close();
  }
  return ready.map(({ name, times, error }) => ({ name, times, error }));
}

Object.assign(globalThis, { compare, adapters });
