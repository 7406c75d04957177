import { describe, expect, test } from '@jest/globals';
import { type BackendFinding, doctorLines, examine, type Findings } from '../../src/cli/doctor.js';
import { quotaOf } from '../../src/cli/machine.js';
import { tryMatmul } from '../../src/cli/trial.js';
import { BACKENDS } from '../backends.js';

const NATIVE: BackendFinding = {
  name: 'native',
  runsOn: 'avx512, 2 threads',
  reason: null,
  isas: ['avx512', 'avx2', 'base'],
  peakGflops: 233,
  multipliers: { bf16: 'avx512_bf16', int8: null },
  matmul: { size: 1024, gflops: 198.3, right: true },
  trials: null,
  limits: null,
};
const JS: BackendFinding = {
  name: 'js',
  runsOn: 'plain JavaScript, 1 thread',
  reason: null,
  isas: [],
  peakGflops: null,
  multipliers: null,
  matmul: { size: 128, gflops: 1.23, right: true },
  trials: null,
  limits: null,
};
const FOUND: Findings = {
  version: '0.1.0',
  machine: {
    platform: 'linux x64',
    node: 'v20.20.2',
    cpu: 'AMD EPYC 9B45',
    cores: 2,
    cpuQuota: null,
    instructions: ['sse2', 'avx2', 'fma', 'avx512f'],
    memoryTotal: 25.3e9,
    memoryFree: 22.5e9,
    memoryLimit: null,
    diskFree: 77.8e9,
    tools: { compiler: 'g++ 12.2.0', make: 'GNU Make 4.3', python: 'Python 3.11.2' },
  },
  chosen: 'native',
  reason: 'native (avx512, 2 threads): the fastest that runs here',
  backends: [NATIVE, JS],
  addonLog: { path: 'build/native.log', error: null },
  switches: [
    { name: 'BG_ISA', value: null, meaning: 'base or avx2' },
    { name: 'BG_THREADS', value: '1', meaning: 'threads of native' },
  ],
};
const text = (changes: Partial<Findings> = {}): string => doctorLines({ ...FOUND, ...changes }).join('\n');

describe('what the doctor says', () => {
  test('of a machine where all is well', () => {
    expect(text()).toBe(
      `bertgrad 0.1.0, Node.js v20.20.2, linux x64

  CPU         AMD EPYC 9B45, 2 cores
              sse2 avx2 fma avx512f
  memory      22.5 GB free of 25.3 GB
  disk        77.8 GB free in the current folder
  compiler    g++ 12.2.0, GNU Make 4.3, Python 3.11.2

  in use      native (avx512, 2 threads): the fastest that runs here
  native      runs on avx512, 2 threads (of avx512, avx2, base); matmul of 1024 x 1024 at 198 GFLOP/s, 85 % of the measured peak 233 GFLOP/s
              products of bf16 by avx512_bf16, of int8 without an instruction for them, slower
  js          runs on plain JavaScript, 1 thread; matmul of 128 x 128 at 1.2 GFLOP/s

  BG_ISA      not set (base or avx2)
  BG_THREADS  1 (threads of native)`,
    );
  });

  test('of a container with limits and without a compiler', () => {
    const tools = { compiler: null, make: null, python: 'Python 3.11.2' };
    const said = text({ machine: { ...FOUND.machine, cpuQuota: 1.5, memoryLimit: 4e9, diskFree: null, tools } });
    expect(said).toContain('2 cores, of whose time a container may take 1.5');
    expect(said).toContain('limited to 4.0 GB');
    expect(said).toContain('no g++ or clang++, no make, Python 3.11.2; on Debian: apt-get install g++ make python3');
    expect(said).toContain('disk        unknown');
  });

  test('of an addon that is not there: why, what to do, and what its build said', () => {
    const reason = 'native: the addon is not built; npm run build';
    const absent: BackendFinding = {
      ...NATIVE,
      runsOn: null,
      reason,
      isas: [],
      peakGflops: null,
      multipliers: null,
      matmul: null,
      trials: null,
      limits: null,
    };
    const said = text({ backends: [absent, JS], addonLog: { path: 'build/native.log', error: 'a.cc:1: error: no' } });
    expect(said).toContain('native      does not run here: the addon is not built; npm run build');
    expect(said).toContain('addon       a.cc:1: error: no; all of it: build/native.log');
    expect(text()).not.toContain('native.log');
  });

  test('of a device and its limits', () => {
    const gpu = { ...JS, name: 'gpu', runsOn: 'a GPU, webgpu, hardware', limits: { 'largest tensor': 2 ** 31 } };
    expect(text({ backends: [gpu, JS] })).toContain('GFLOP/s\n              largest tensor 2.1 GB\n  js');
  });

  test('of a result that is wrong', () => {
    const wrong: BackendFinding = { ...JS, matmul: { size: 128, gflops: 1, right: false } };
    expect(text({ backends: [wrong] })).toContain('ITS RESULT IS WRONG');
  });

  test('of a backend that nobody can make', () => {
    expect(text({ chosen: null, reason: 'unknown backend "x"' })).toContain('in use      nothing: unknown backend "x"');
  });
});

describe('what the doctor finds here', () => {
  test('is whole, and survives JSON', async () => {
    const found = await examine();
    expect(JSON.parse(JSON.stringify(found))).toEqual(found);
    expect(found.backends.map(({ name }) => name)).toEqual(['gpu', 'native', 'js']);
    expect(found.backends.find(({ name }) => name === 'js')?.matmul?.right).toBe(true);
    for (const { runsOn, reason, matmul } of found.backends) {
      expect(runsOn === null).toBe(reason !== null);
      expect(runsOn === null).toBe(matmul === null);
    }
    expect(found.machine.cores).toBeGreaterThan(0);
    expect(found.machine.memoryTotal).toBeGreaterThan(found.machine.memoryFree);
  });

  test.each(BACKENDS)('$name: a product is right, and leaves nothing behind', async ({ create }) => {
    const backend = create();
    const { gflops, right } = await tryMatmul(backend);
    expect(right).toBe(true);
    expect(gflops).toBeGreaterThan(0.01);
    expect(backend.liveBytes).toBe(0);
  });

  test.each([
    ['150000 100000\n', 1.5],
    ['max 100000\n', null],
    ['', null],
  ])('%j of cpu.max is %p cores', (line, cores) => expect(quotaOf(line)).toBe(cores));
});
