// Every op, every sample, on one backend: the cases of test/conformance/backends.test.ts, without its runner.
import type { Backend } from '../../../src/backend/backend.js';
import { OPS } from '../../../src/ops/index.js';
import { longWork } from '../../backend/long-work.js';
import { check } from '../../conformance/compare.js';
import { caseOf } from '../../conformance/evaluate.js';
import { poisoned } from '../../conformance/poison.js';

/** How the samples of an op went. */
export interface OpResult {
  readonly op: string;
  readonly passed: number;
  /** Sample and what was wrong with it. */
  readonly failures: readonly string[];
}

async function problem(op: (typeof OPS)[number], sample: (typeof op.samples)[number], backend: Backend) {
  try {
    return await check(caseOf(op, sample), backend);
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

/** Runs all samples, op after op; the page may draw in between. @param only ops whose names contain this */
export async function* conformance(fresh: Backend, only = ''): AsyncGenerator<OpResult> {
  const backend = poisoned(fresh);
  for (const op of OPS.filter(({ name }) => name.includes(only))) {
    const failures: string[] = [];
    for (const sample of op.samples) {
      const wrong = await problem(op, sample, backend);
      if (wrong !== null) failures.push(`${sample.name}: ${wrong}`);
    }
    yield { op: op.name, passed: op.samples.length - failures.length, failures };
  }
  await backend.flush();
}

/** The bits of some work, as whole launches and in other ways of cutting it up; the first way that has others. */
export async function otherBits(
  open: (options?: { mostWork?: number; rows?: 4 | 8 }) => Promise<Backend>,
): Promise<string | null> {
  const want = await longWork(await open());
  for (const options of [{ mostWork: 20_000 }, { rows: 4 }, { rows: 8, mostWork: 50_000 }] as const) {
    const got = await longWork(await open(options));
    if (JSON.stringify(got) !== JSON.stringify(want)) return JSON.stringify(options);
  }
  return null;
}

/** What a backend says to an id beyond its table, at the next read; null where it says nothing. */
export async function refusedId(backend: Backend): Promise<string | null> {
  const [table, ids] = [backend.upload(new Float32Array(4)), backend.upload(Int32Array.of(1, 9, 0))];
  const y = backend.alloc(6, 'f32');
  backend.kernels.gather(table, ids, y, 3, 2);
  try {
    await backend.read(y);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    for (const buf of [table, ids, y]) backend.free(buf);
  }
}
