import type { Buf, Moment } from '../../backend.js';
import type { Limits } from '../device.js';
import type { Args, Dims, FastKernel, Operand, PlainRunner } from '../spec.js';
import { SHARERS } from './tiles.js';

/** What runs fast kernels, plain ones included. */
export interface FastRunner extends PlainRunner {
  readonly limits: Limits;
  readonly software: boolean;
  /**
   * @param groups workgroups along each axis
   * @param work multiplications and additions, where there may be many
   */
  launch(kernel: FastKernel, args: Args, outputs: readonly Operand[], groups: Dims, work?: number): void;
  /** A number as a kernel takes it: in a recording, what stands for that of each run. */
  liveNumber(name: keyof Moment, value: number): number;
  /** First element of a buffer within its memory: where it divides by 4, four elements can be read at a time. */
  placeOf(buf: Buf): number;
}

/** Most workgroups along one axis. */
export const MOST_GROUPS = 65535;

/** `count` workgroups over two axes: the shader counts `group.x + group.y * groups.x`. */
export function fold(count: number): Dims {
  const rows = Math.max(1, Math.ceil(count / MOST_GROUPS));
  return [Math.ceil(count / rows), rows, 1];
}

/** Whether rows of `width` elements can be read as vectors of four from each of these buffers, where there is one. */
export const inFours = (runner: FastRunner, width: number, ...bufs: readonly (Buf | undefined)[]): boolean =>
  width % 4 === 0 && bufs.every((buf) => buf === undefined || runner.placeOf(buf) % 4 === 0);

/** Threads of a kernel that takes an element each. */
export const LINE = 64;

/** Workgroups for `count` threads of a kernel that begins with `LINE_MAIN`. */
export const foldThreads = (count: number): Dims => fold(Math.ceil(count / LINE));

/** One thread for each i below params.count. */
export const LINE_MAIN = `
@compute @workgroup_size(${LINE})
fn main(@builtin(global_invocation_id) gid : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>) {
  let i = gid.x + gid.y * groups.x * ${LINE}u;
  if (i >= params.count) { return; }`;

/** One workgroup of `threads` for each row below params.rows. */
export const rowMain = (threads: number): string => `
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>,
        @builtin(local_invocation_index) t : u32) {
  let row = wid.x + wid.y * groups.x;
  if (row >= params.rows) { return; }`;

/**
 * Threads for a row: enough to have a few elements each. Where a processor plays the GPU, one subgroup: it runs subgroups one
 * after the other, and to change between them at every barrier takes it ten times as long as the row itself.
 */
export function threadsFor({ software, limits }: FastRunner, cols: number): number {
  if (software) return Math.max(SHARERS, limits.subgroup);
  return cols <= 512 ? 64 : 256;
}

/** `total(t, value)`: the sum over the workgroup's threads, in an order of its own that never changes. */
export const total = (threads: number): string => `
var<workgroup> totals : array<f32, ${threads}>;
fn total(t : u32, value : f32) -> f32 {
  totals[t] = value;
  for (var half = ${threads / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t < half) { totals[t] += totals[t + half]; }
  }
  let sum = workgroupUniformLoad(&totals[0]);
  return sum;
}`;
