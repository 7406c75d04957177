import { describe, expect, test } from '@jest/globals';
import { preset } from '../../src/bert/config.js';
import { ConfigError } from '../../src/core/errors.js';
import { decodeRows, lossPlaces, memoryByOwner, requireMemory, totalBytes } from '../../src/train/audit.js';
import { flopsPerStep, fullShape, parameterCount } from '../../src/train/flops.js';

const mini = preset('mini', { vocabSize: 30_522 });
const base = preset('base', { vocabSize: 30_522 });

describe('flopsPerStep', () => {
  // The formula with I = 4 H and equal lengths, evaluated by hand: GFLOP of a step at 20 masked places a sequence.
  test.each([
    ['tiny', 32, 26.3],
    ['mini', 32, 114],
    ['small', 32, 383],
    ['medium', 32, 705],
    ['base', 8, 559],
  ] as const)('%s, batch %i: %f GFLOP', (name, batch, gflop) => {
    const flops = flopsPerStep(preset(name, { vocabSize: 30_522 }), fullShape(batch, 128, 20));
    expect(flops / 1e9).toBeGreaterThan(0.995 * gflop);
    expect(flops / 1e9).toBeLessThan(1.005 * gflop);
  });

  test('attention counts the square of each length, not of the longest', () => {
    const flops = (lengths: number[]): number => flopsPerStep(mini, { lengths, masked: 10 });
    expect(flops([64, 64]) - flops([32, 96])).toBe(3 * 4 * 4 * 256 * (2 * 64 ** 2 - 32 ** 2 - 96 ** 2));
  });

  test('6N would say more', () => {
    const tiny = preset('tiny', { vocabSize: 4766, maxPositionEmbeddings: 64 });
    const sixN = 6 * parameterCount(tiny) * 64 * 64;
    expect(sixN / flopsPerStep(tiny, fullShape(64, 64, 10))).toBeGreaterThan(1.8);
  });
});

test('parameterCount is that of the released models, with both heads', () => {
  // bert-base-uncased: 109,482,240 in the encoder with its pooler; the heads add 592,128 + 30,522 and 1,538.
  expect(parameterCount(base)).toBe(109_482_240 + 592_128 + 30_522 + 1538);
});

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
