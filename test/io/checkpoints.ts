import { type CheckpointContent, type LoadedCheckpoint, writeCheckpoint } from '../../src/io/checkpoint.js';

/** A small checkpoint whose every value depends on its step. */
export function content(step: number): CheckpointContent {
  const floats = (length: number, by: number): Float32Array => Float32Array.from({ length }, (_, i) => step * by + i);
  return {
    step,
    config: { model_type: 'bert', vocab_size: 5 },
    vocab: '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n',
    tokenizerConfig: { do_lower_case: true },
    weights: new Map([
      ['bert.w', { shape: [20, 30], data: floats(600, 1) }],
      ['bert.b', { shape: [3], data: floats(3, 2) }],
    ]),
    optimizer: new Map([
      ['bert.w.m', { shape: [20, 30], data: floats(600, 3) }],
      ['bert.w.v', { shape: [20, 30], data: floats(600, 4) }],
    ]),
    state: { step, tokens: step * 100, updates: step, skipped: 0, seconds: step / 2 },
  };
}

/** A run folder with checkpoints of these steps. */
export async function saveAll(run: string, steps: readonly number[]): Promise<void> {
  for (const step of steps) await writeCheckpoint(run, content(step), { keep: steps.length });
}

/** Whether all of a loaded checkpoint is what was written for its step. */
export function isWhole(loaded: LoadedCheckpoint): boolean {
  const want = content(loaded.step);
  const same = (a: LoadedCheckpoint['weights'], b: CheckpointContent['weights']): boolean =>
    a.size === b.size && [...b].every(([name, { data }]) => Buffer.from(bytes(data)).equals(bytes(a.get(name)?.data)));
  const words = (c: CheckpointContent): string => JSON.stringify([c.config, c.vocab, c.tokenizerConfig, c.state]);
  return same(loaded.weights, want.weights) && same(loaded.optimizer, want.optimizer) && words(loaded) === words(want);
}

const bytes = (data: Float32Array | Int32Array | undefined): Uint8Array =>
  data === undefined ? new Uint8Array(0) : new Uint8Array(data.buffer);
