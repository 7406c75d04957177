import type { AttentionCall, Buf } from '../../backend.js';
import { rowDot } from '../kernels/rows.js';
import { withScratch } from '../kernels/scratch.js';
import { type FastKernel, line, type Operand } from '../spec.js';
import { type AttentionForm, BLOCK, forwardKernel, keyGradKernel, queryGradKernel } from './attention-shader.js';
import { isShared, QUERIES, sharedForwardKernel } from './attention-shared.js';
import { KEY_PARAMS, keyNumbers } from './dropout.js';
import { copy } from './indexing.js';
import { PHILOX } from './philox.js';
import { type FastRunner, foldThreads, inFours, LINE_MAIN, MOST_GROUPS } from './runner.js';
import { SHARERS } from './tiles.js';

/** A longer row of one head does not fit into the registers of a thread. */
const MOST_HEAD_DIM = 128;

/** Whether the fast kernels can take it: a head fits into registers, every count into one launch. */
export const takesAttention = ({ limits }: FastRunner, { headDim, heads, sequences }: AttentionCall): boolean =>
  headDim <= MOST_HEAD_DIM && limits.bindings >= 8 && Math.max(heads, sequences) <= MOST_GROUPS;

/** 1 in the bit of each key that is kept, 32 keys a word. A thread draws 128 of a row. */
const MASK: FastKernel = {
  name: 'attention mask',
  params: { count: 'int', cols: 'int', ...KEY_PARAMS },
  outputs: { mask: 'u32' },
  wgsl: `${PHILOX}${LINE_MAIN}
  let blocks = (params.cols + 127u) / 128u;
  let row = i / blocks; let part = i % blocks;
  var bits = array<u32, 4>();
  for (var lane = 0u; lane < 16u; lane++) {
    let words = random_words(params.firstRow + row, part, lane, blocks, params.step, params.stream, params.key0, params.key1);
    for (var i = 0u; i < 8u; i++) {
      let keep = select(0u, 1u, random_number(words, i) >= params.threshold);
      bits[i / 2u] |= keep << (lane + i % 2u * 16u);
    }
  }
  let words = (params.cols + 31u) / 32u;
  for (var word = 0u; word < 4u && part * 4u + word < words; word++) { set_mask(row * words + part * 4u + word, bits[word]); }
}`,
};

function formOf(runner: FastRunner, call: AttentionCall, ...bufs: readonly Buf[]): AttentionForm {
  const { headDim, q, k, v } = call;
  const rowBytes = 16 * Math.ceil(headDim / 4);
  const slice = [32, 16, 8, 4, 2].find((rows) => 2 * rows * rowBytes <= runner.limits.workgroupMemory) ?? 1;
  const vector = inFours(runner, headDim, q, k, v, ...bufs);
  return { headDim, slice, vector, dropout: call.dropout !== null, given: call.queries !== null };
}

/** Lends the dropout bits of every sequence, head, place and key; nothing where there is no dropout. */
function withMask(runner: FastRunner, call: AttentionCall, use: (mask: readonly Operand[]) => void): void {
  const { sequences, heads, maxSeq, dropout } = call;
  if (dropout === null) {
    use([]);
    return;
  }
  const rows = sequences * heads * maxSeq;
  const mask = runner.alloc(rows * Math.ceil(maxSeq / 32), 'i32');
  const threads = rows * Math.ceil(maxSeq / 128);
  runner.launch(
    MASK,
    [threads, maxSeq, ...keyNumbers(runner, dropout.rate, dropout.key)],
    [line(mask)],
    foldThreads(threads),
  );
  use([line(mask)]);
  runner.free(mask);
}

/** Lends a buffer that holds others one after the other. */
function withJoined(runner: FastRunner, type: 'f32' | 'i32', parts: readonly Buf[], use: (all: Buf) => void): void {
  const all = runner.alloc(
    parts.reduce((sum, { length }) => sum + length, 0),
    type,
  );
  let at = 0;
  for (const part of parts) {
    copy(runner, part, all, [part.length], { offset: 0, strides: [1] }, { offset: at, strides: [1] });
    at += part.length;
  }
  use(all);
  runner.free(all);
}

/** Lends the offsets of sequences, and where only some rows ask, theirs and their places behind them. */
function withOffsets(runner: FastRunner, { offsets, queries }: AttentionCall, use: (ints: Operand) => void): void {
  if (queries === null) use(line(offsets));
  else withJoined(runner, 'i32', [offsets, queries.offsets, queries.places], (all) => use(line(all)));
}

const numbersOf = ({ sequences, heads, maxSeq, scale, dropout }: AttentionCall): number[] => [
  sequences,
  heads,
  maxSeq,
  scale,
  dropout === null ? 1 : 1 / (1 - dropout.rate),
];
const groupsOf = ({ maxSeq, heads, sequences }: AttentionCall, block = BLOCK): readonly [number, number, number] => [
  Math.ceil(maxSeq / block),
  heads,
  sequences,
];

/** Arithmetic of a kernel that takes every query to every key of its sequence, with so many products of `headDim`. */
const workOf = ({ sequences, maxSeq, heads, headDim }: AttentionCall, products: number): number =>
  2 * products * sequences * maxSeq ** 2 * heads * headDim;

export function attention(runner: FastRunner, call: AttentionCall, y: Buf, lse: Buf): void {
  if (call.queryRows === 0) return;
  const form = formOf(runner, call, y);
  withMask(runner, call, (mask) =>
    withOffsets(runner, call, (offsets) => {
      const inputs = [line(call.q), line(call.k), line(call.v), line(call.keyBias), offsets, ...mask];
      const shared = runner.limits.subgroup === SHARERS && isShared(form);
      const kernel = shared ? sharedForwardKernel(form) : forwardKernel(form);
      const groups = groupsOf(call, shared ? QUERIES : BLOCK);
      runner.launch(kernel, [...inputs, ...numbersOf(call)], [line(y), line(lse)], groups, workOf(call, 2));
    }),
  );
}

export function attentionGrad(
  runner: FastRunner,
  call: AttentionCall,
  [y, lse, dY]: readonly [Buf, Buf, Buf],
  [dQ, dK, dV]: readonly [Buf, Buf, Buf],
): void {
  const { q, k, v, keyBias, queryRows, rows, heads, headDim } = call;
  if (rows === 0) return;
  const form = formOf(runner, call, dY, dQ, dK, dV);
  const asked = queryRows * heads;
  const numbers = [...numbersOf(call), asked];
  const groups = groupsOf(call);
  const launchAll = (floats: Buf, others: readonly Operand[]): void => {
    const launch = (kernel: FastKernel, inputs: readonly Buf[], out: Buf): void => {
      const args = [...inputs, floats].map((buf) => line(buf));
      runner.launch(kernel, [...args, ...others, ...numbers], [line(out)], groups, workOf(call, 3));
    };
    if (queryRows > 0) launch(queryGradKernel(form), [q, k, v, dY], dQ);
    launch(keyGradKernel(form, 'dK'), [q, k, v, dY], dK);
    launch(keyGradKernel(form, 'dV'), [q, k, dY], dV);
  };
  withScratch(runner, [asked], ([dots]) => {
    rowDot(runner, dY, y, dots, asked, headDim);
    withMask(runner, call, (mask) =>
      withOffsets(runner, call, (offsets) =>
        withJoined(runner, 'f32', [lse, dots, keyBias], (floats) => launchAll(floats, [offsets, ...mask])),
      ),
    );
  });
}
