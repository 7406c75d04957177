import type { Buf } from '../../backend.js';
import { judge, VERDICT } from '../ids.js';
import { line, type PlainKernel, type PlainRunner } from '../spec.js';

/** Ids that one thread looks at. */
const PART = 64;

/** Of each part, where the first id stands that is neither below `limit` nor `other`; -1: nowhere. */
const FIRSTS: PlainKernel = {
  name: 'check ids',
  params: { ids: 'i32', count: 'int', limit: 'float', other: 'float' },
  rank: 1,
  text: `function (ids, count, limit, other) {
  let first = -1;
  for (let i = 0; i < ${PART}; i++) {
    const id = ids[this.thread.x * ${PART} + ${PART - 1} - i];
    if (this.thread.x * ${PART} + ${PART - 1} - i < count && (id < 0 || id >= limit) && id != other) { first = ${PART - 1} - i; }
  }
  return first;
}`,
};

/** What an earlier check left, or else: whether an id does not fit, the id, its position, the limit. */
const CONCLUDE: PlainKernel = {
  name: 'check ids verdict',
  params: { before: 'f32', firsts: 'f32', ids: 'i32', parts: 'int', limit: 'float' },
  rank: 1,
  text: `function (before, firsts, ids, parts, limit) {
  let value = before[this.thread.x];
  let found = before[0];
  for (let p = 0; p < parts; p++) {
    const first = firsts[p];
    if (found == 0 && first >= 0) {
      found = 1;
      value = 1;
      if (this.thread.x == 1) { value = ids[p * ${PART} + first]; }
      if (this.thread.x == 2) { value = p * ${PART} + first; }
      if (this.thread.x == 3) { value = limit; }
    }
  }
  return value;
}`,
};

/** Checks of ids on textures, which are heard at the next read or flush. */
export class GlIds {
  private verdict: Buf | null = null;
  private pending = false;

  constructor(
    private readonly runner: PlainRunner,
    private readonly readNow: (buf: Buf) => ArrayLike<number> & Iterable<number>,
    private readonly write: (buf: Buf, data: Float32Array) => void,
    /** Memory of the backend's own, which does not count as live. */
    private readonly ownFloats: (length: number) => Buf,
  ) {}

  check(ids: Buf, count: number, limit: number, other: number): void {
    if (count === 0) return;
    const { runner } = this;
    const parts = Math.ceil(count / PART);
    if (this.verdict === null) {
      this.verdict = this.ownFloats(VERDICT);
      this.write(this.verdict, new Float32Array(VERDICT));
    }
    const firsts = runner.alloc(parts, 'f32');
    runner.run(FIRSTS, [line(ids), count, limit, other], [parts, 1, 1], firsts);
    const args = [line(this.verdict), line(firsts), line(ids), parts, limit];
    runner.run(CONCLUDE, args, [VERDICT, 1, 1], this.verdict);
    runner.free(firsts);
    this.pending = true;
  }

  /** @throws {BackendError} an id that does not fit; the queue goes on, with a clean slate */
  hear(): void {
    if (this.verdict === null || !this.pending) return;
    this.pending = false;
    const words = this.readNow(this.verdict);
    if (words[0] !== 0) this.write(this.verdict, new Float32Array(VERDICT));
    judge(words);
  }
}
