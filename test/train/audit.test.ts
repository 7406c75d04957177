import { describe, expect, test } from '@jest/globals';
import { preset } from '../../src/bert/config.js';
import { ConfigError } from '../../src/core/errors.js';
import { decodeRows, lossPlaces, memoryByOwner, requireMemory, totalBytes } from '../../src/train/audit.js';
import { fullShape, parameterCount } from '../../src/train/flops.js';

const mini = preset('mini', { vocabSize: 30_522 });
const base = preset('base', { vocabSize: 30_522 });

describe('memory', () => {
  const plan = { batch: 32, seq: 128, maskedPerSequence: 20, accumulate: 1 };

  test('owners add up, parameters weigh four times', () => {
    const owned = memoryByOwner(mini, fullShape(32, 128, 20));
    const of = (owner: string): number => owned.find((o) => o.owner === owner)?.bytes ?? 0;
    expect(of('parameters') + of('gradients') + of('moments of AdamW')).toBe(16 * parameterCount(mini));
    expect(totalBytes(owned)).toBe(owned.reduce((sum, o) => sum + o.bytes, 0));
  });

  test('a run that fits is let through', () => expect(() => requireMemory(mini, plan, 4e9)).not.toThrow());

  test('one that does not is refused with settings that do', () => {
    const free = 8e8;
    let refusal: unknown;
    try {
      requireMemory(mini, plan, free);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(ConfigError);
    const error = refusal as ConfigError;
    expect(error.code).toBe('CONFIG-MEMORY');
    expect(error.where).toContain('moments of AdamW 0.09 GB');
    const [, accumulate] = /--accumulate (\d+)/.exec(error.fix ?? '') ?? [];
    const [, seq] = /--max-seq (\d+)/.exec(error.fix ?? '') ?? [];
    expect(error.fix?.split(';')).toHaveLength(3);
    expect(() => requireMemory(mini, { ...plan, accumulate: Number(accumulate) }, free)).not.toThrow();
    expect(() => requireMemory(mini, { ...plan, seq: Number(seq), maskedPerSequence: 10 }, free)).not.toThrow();
  });

  test('with no setting that fits, a smaller model is asked for', () => {
    expect(() => requireMemory(base, plan, 1e8)).toThrow(
      expect.objectContaining({ fix: expect.stringContaining('smaller') }),
    );
  });
});

describe('decoded rows', () => {
  const pieces = ['[PAD]', '[CLS]', '[SEP]', '[MASK]', '我', '爱', '吃', '饭', '天'];
  const batch = {
    batch: 2,
    seq: 6,
    inputIds: Int32Array.of(1, 4, 3, 6, 8, 2, 1, 5, 2, 0, 0, 0),
    lengths: Int32Array.of(6, 3),
    maskedPositions: Int32Array.of(2, 4, 7),
    maskedLabels: Int32Array.of(5, 7, 5),
  };

  test('show masked, replaced and kept words, and no padding', () => {
    expect(decodeRows(batch, (id) => pieces[id] as string)).toEqual([
      '[CLS] 我 [MASK→爱] 吃 [天→饭] [SEP]',
      '[CLS] [爱→爱] [SEP]',
    ]);
    expect(decodeRows(batch, (id) => pieces[id] as string, 1)).toHaveLength(1);
  });

  test('count what the loss counts', () => {
    expect(lossPlaces(batch)).toEqual({ lossPositions: 3, positions: 9, paddingShare: 0.25 });
  });
});
