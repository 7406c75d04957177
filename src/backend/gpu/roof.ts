import type { Buf, DeviceRoofs } from '../backend.js';
import { type FastRunner, fold } from './fast/runner.js';
import { type FastKernel, line, type PlainKernel, type PlainRunner } from './spec.js';

/** Chains of multiply-adds in a thread that do not wait for one another, and how often the text repeats them. */
const CHAINS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const REPEATS = 8;

const repeated = (text: (i: number) => string): string =>
  Array.from({ length: REPEATS }, () => CHAINS.map(text).join(' ')).join('\n    ');

/** As gpu.js translates it, for every mode. */
const PLAIN: PlainKernel = {
  name: 'multiply-adds',
  params: { f: 'float', d: 'float', rounds: 'int' },
  rank: 1,
  text: `function (f, d, rounds) {
  ${CHAINS.map((i) => `let c${i} = f * ${i + 1}.0;`).join(' ')}
  for (let r = 0; r < rounds; r++) {
    ${repeated((i) => `c${i} = c${i} * f + d;`)}
  }
  return ${CHAINS.map((i) => `c${i}`).join(' + ')};
}`,
};

/** The same on vectors of four. */
const VECTORS: FastKernel = {
  name: 'multiply-adds of vectors',
  params: { f: 'float', d: 'float', rounds: 'int' },
  outputs: { y: 'vec4' },
  wgsl: `
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) gid : vec3<u32>) {
  let f = vec4<f32>(params.f); let d = vec4<f32>(params.d);
  ${CHAINS.map((i) => `var c${i} = f * ${i + 1}.0;`).join(' ')}
  for (var r = 0u; r < params.rounds; r++) {
    ${repeated((i) => `c${i} = fma(c${i}, f, d);`)}
  }
  set_y(gid.x, ${CHAINS.map((i) => `c${i}`).join(' + ')});
}`,
};

/** A thread moves a vector of four. */
const COPY: FastKernel = {
  name: 'copy of vectors',
  params: { x: 'vec4', count: 'int' },
  outputs: { y: 'vec4' },
  wgsl: `
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) gid : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>) {
  let i = gid.x + gid.y * groups.x * 256u;
  if (i < params.count) { set_y(i, x_at(i)); }
}`,
};

/** Nearly 1 and nearly 0, so that the chains neither grow nor vanish, and nothing of them can be left out. */
const [FACTOR, SUMMAND] = [0.999, 1e-6];
/** Seconds that a measurement takes at least, and how many of them there are: the best counts. */
const LEAST = 0.02;
const ROUNDS = 5;
const MOST_LAUNCHES = 512;

type Flush = () => Promise<void>;

/** Seconds of one launch: so many are enqueued that a measurement is long enough, and the best counts. */
async function secondsOf(launch: () => void, flush: Flush): Promise<number> {
  const timed = async (count: number): Promise<number> => {
    const begin = performance.now();
    for (let i = 0; i < count; i++) launch();
    await flush();
    return (performance.now() - begin) / 1000;
  };
  await timed(1); // compiles
  let count = 1;
  while (count < MOST_LAUNCHES && (await timed(count)) < LEAST) count *= 2;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) best = Math.min(best, (await timed(count)) / count);
  return best;
}

/** Threads that fill the device, and turns of the loop in each: a processor that plays a GPU is filled by fewer. */
const loadOf = (software: boolean): { threads: number; turns: number } =>
  software ? { threads: 2 ** 14, turns: 64 } : { threads: 2 ** 20, turns: 256 };

async function multiplyAdds(
  runner: PlainRunner,
  flush: Flush,
  { threads, turns }: ReturnType<typeof loadOf>,
  launch: (y: Buf) => void,
): Promise<number> {
  const y = runner.alloc(threads, 'f32');
  const seconds = await secondsOf(() => launch(y), flush);
  runner.free(y);
  return (2 * threads * CHAINS.length * REPEATS * turns) / seconds / 1e9;
}

/** GFLOP/s of multiply-adds in registers, as gpu.js translates them. */
function plainPeak(runner: PlainRunner, flush: Flush, software: boolean): Promise<number> {
  const load = loadOf(software);
  const args = [FACTOR, SUMMAND, load.turns];
  return multiplyAdds(runner, flush, load, (y) => runner.run(PLAIN, args, [load.threads, 1, 1], y));
}

/** The same on vectors of four, in a shader of our own. */
function vectorPeak(runner: FastRunner, flush: Flush): Promise<number> {
  const load = loadOf(runner.software);
  const args = [FACTOR, SUMMAND, load.turns];
  const groups = fold(load.threads / 1024);
  return multiplyAdds(runner, flush, load, (y) => runner.launch(VECTORS, args, [line(y)], groups));
}

/** GB/s of copying within `bytes` of memory, read and written ones counted. @param bytes a multiple of 32 */
async function copyRate(runner: FastRunner, flush: Flush, bytes: number): Promise<number> {
  const length = bytes / 8;
  const [x, y] = [runner.alloc(length, 'f32'), runner.alloc(length, 'f32')];
  const groups = fold(Math.ceil(length / 1024));
  const seconds = await secondsOf(() => runner.launch(COPY, [line(x), length / 4], [line(y)], groups), flush);
  for (const buf of [x, y]) runner.free(buf);
  return bytes / seconds / 1e9;
}

/** What gpu.js's own translation reaches: all there is where nothing else runs. */
export const plainRoofs = (runner: PlainRunner, flush: Flush, software: boolean): DeviceRoofs => ({
  multiplyAdds: () => plainPeak(runner, flush, software),
});

/** The best of that and of vectors in shaders of our own, which are bounded by the same device. */
export const fastRoofs = (runner: FastRunner, flush: Flush): DeviceRoofs => ({
  multiplyAdds: async () => Math.max(await plainPeak(runner, flush, runner.software), await vectorPeak(runner, flush)),
  copy: (bytes) => copyRate(runner, flush, bytes),
});
