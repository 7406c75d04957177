import type { Backend } from '../backend/backend.js';
import type { TypedData } from '../core/dtype.js';
import type { BenchCase } from './case.js';
import { type CaseData, PreparedOp } from './run-op.js';

/** A case on one contender, ready to be called again and again. */
export interface Prepared {
  /** Calls it `times` times and waits. @returns seconds, where it keeps its own clock (another process) */
  run(times: number): Promise<number | undefined>;
  /** What it computes, to be held against float64 before it is timed: the result, or the gradient of each input. */
  results(): Promise<readonly (TypedData | null)[]>;
  free(): void | Promise<void>;
  /** Seconds that a sample takes at least, where waiting for the last call has a price; absent: a few milliseconds. */
  readonly leastSeconds?: number;
  /** Bytes of tensors at their most, from the inputs to the last result; absent: it does not tell. */
  readonly memory?: number;
}

/** Somebody who can do some of the cases: a backend of ours, or a peer. */
export interface Contender {
  readonly name: string;
  /** What executes, with its version: "1.30.0, 2 threads". */
  readonly runsOn: string;
  /** Threads that compute. */
  readonly threads: number;
  /** A backend of ours; null: a peer. */
  readonly backend: Backend | null;
  /** Process that does the work, where it is not this one. */
  readonly pid?: number;
  /** The case, or the reason why not. */
  prepare(c: BenchCase, data: CaseData): Promise<Prepared | string>;
  close(): void | Promise<void>;
}

/** A backend of ours as a contender. */
export function ours(backend: Backend, name: string, threads: number): Contender {
  return {
    name,
    runsOn: backend.runsOn,
    threads,
    backend,
    prepare: async (c, data) => {
      const prepared = new PreparedOp(backend, c, data);
      return {
        run: async (times) => {
          await prepared.run(times);
          return undefined;
        },
        results: () => prepared.results(),
        free: () => prepared.free(),
        memory: prepared.memory(),
      };
    },
    close: () => undefined,
  };
}
