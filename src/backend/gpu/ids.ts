import { BackendError } from '../../core/errors.js';
import type { Buf } from '../backend.js';
import type { Slab } from './pool.js';
import type { FastKernel } from './spec.js';

/** Words in which the device says which id does not fit: whether one does not, the id, its position, the rows there are. */
export const VERDICT = 4;

/**
 * Looks for the first id that is neither below `limit` nor `other`, and leaves it in `verdict` unless an earlier one is
 * there. One workgroup, so that no order is random.
 */
export const CHECK_IDS: FastKernel = {
  name: 'check ids',
  params: { ids: 'i32', count: 'int', limit: 'int', other: 'int' },
  outputs: { verdict: 'i32' },
  wgsl: `
var<workgroup> firsts : array<u32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t : u32) {
  var at = 0xffffffffu;
  for (var i = t; i < params.count; i += 64u) {
    let id = ids_at(i);
    if (u32(id) >= params.limit && id != bitcast<i32>(params.other)) { at = i; break; }
  }
  firsts[t] = at;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t < half) { firsts[t] = min(firsts[t], firsts[t + half]); }
  }
  at = firsts[0];
  if (t > 0u || at == 0xffffffffu || verdict_at(0u) != 0) { return; }
  set_verdict(0u, 1);
  set_verdict(1u, ids_at(at));
  set_verdict(2u, i32(at));
  set_verdict(3u, i32(params.limit));
}`,
};

/** The error of the native backend, from what was left in a verdict. @throws {BackendError} where an id does not fit */
export function judge([found, id, position, rows]: ArrayLike<number> & Iterable<number>): void {
  if (found === 0) return;
  throw new BackendError(`gpu: id ${id} at position ${position}, but there are ${rows} rows`, {
    code: 'BACKEND-COMMAND',
    fix: 'check indices against the size of what they index',
  });
}

/** A list of ids within a slab, and how often the slab had been written to when they were checked. */
interface Checked {
  readonly at: number;
  readonly count: number;
  readonly limit: number;
  readonly other: number;
  readonly writes: number;
}

/** Which lists of ids were checked since they were last written: a step looks the same ids up several times. */
export class CheckedIds {
  private readonly known = new WeakMap<Slab, Checked[]>();

  /** Whether the list is new, or may have changed; from now on it is known. */
  isNew(slab: Slab, { at, length }: Buf & { readonly at: number }, limit: number, other: number): boolean {
    const { writes } = slab;
    const valid = (this.known.get(slab) ?? []).filter((list) => list.writes === writes);
    const same = (list: Checked): boolean =>
      list.at === at && list.count === length && list.limit === limit && list.other === other;
    if (valid.some(same)) return false;
    this.known.set(slab, [...valid, { at, count: length, limit, other, writes }]);
    return true;
  }
}
