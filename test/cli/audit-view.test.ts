import { describe, expect, test } from '@jest/globals';
import { auditLines, beforeAndAfter, endLines, guesses, lossPlot } from '../../src/cli/audit-view.js';
import { width } from '../../src/cli/ui.js';
import type { RunEnd } from '../../src/train/events.js';
import { fills, heldOut, START } from '../train/run.js';

const END: RunEnd = { step: 1000, reason: 'done', seconds: 360, report: null, checkpoint: null, lastEval: null };

describe('before the first step', () => {
  test('a run says what it is about to do', () => {
    expect(auditLines(START)).toEqual([
      'runs/first',
      '  runs on     native (avx2, 2 threads): the fastest that runs here; peak 233 GFLOP/s measured',
      '  data        1.2k documents and 60 held out, 24.1k sentences, 612k tokens; [UNK] 0.2 %, repeated lines 1.1 %',
      '  parameters  1.1M, vocabulary of 4766',
      '                 610k   58 %  word embeddings (tied to the decoder)',
      '                 440k   42 %  attention',
      '  step        32 sequences of at most 128: 3.9k tokens, 26.3 GFLOP; 1.0k steps see the data 6.4 times',
      '  memory      about 124 MB: parameters 4.2 MB, activations of 2 layers 120 MB',
      '  loss        at 614 of 3973 positions, all picked; padding 3.0 %, not computed; 50 % of the pairs have label 1',
      '  in nats     8.47 at first (ln V: knows nothing), 6.75 by word frequencies (unigram), 5.31 by the word before (bigram)',
      '  rows        [CLS] 我 [MASK→爱] 吃 饭 [SEP]',
      '              [CLS] b [SEP]',
      '              [CLS] c [SEP]',
    ]);
  });

  test('a resumed run says where it goes on, one without pairs is silent about them', () => {
    const lines = auditLines({ ...START, resumedFrom: 400, sentenceTask: 'none', peakGflops: null });
    expect(lines[0]).toBe('runs/first, going on from step 400');
    expect(lines.join('\n')).toContain('peak not measured');
    expect(lines.join('\n')).not.toContain('pairs');
  });

  test('text of the corpus cannot move the cursor', () => {
    const lines = auditLines({ ...START, rows: ['[CLS] a \u001b[2J b [SEP]'] });
    expect(lines.at(-1)).toBe('  rows        [CLS] a \\x1b[2J b [SEP]');
  });
});

describe('the picture of the loss', () => {
  const points = [8.4, 7, 6, 5.2].map((y, x) => ({ x, y }));

  test('names ln V and both floors', () => {
    const picture = lossPlot(points, START.floors, 40, 10);
    for (const name of ['ln V 8.47', 'unigram 6.75', 'bigram 5.31']) expect(picture).toContain(name);
  });

  test('leaves out ln V for a run that goes on far below it', () => {
    expect(lossPlot(points.slice(2), START.floors, 40, 10)).not.toContain('ln V');
  });
});

describe('samples', () => {
  test('guesses have two digits', () => {
    const predictions = [0.6149, 0.12, 1].map((probability) => ({ token: '饭', probability }));
    expect(guesses({ step: 1, text: '', predictions })).toBe('饭 .61  饭 .12  饭 1.0');
  });

  test('before and after: never wider than asked, the mask in sight', () => {
    const text = '鲁迅是一位伟大的[MASK]学家，他写了很多短篇小说';
    const predictions = ['文', '科', '数'].map((token) => ({ token, probability: 0.25 }));
    const at = (step: number) => [{ step, text, predictions }];
    for (const columns of [62, 80, 100]) {
      const lines = beforeAndAfter(at(0), at(100), columns).split('\n');
      for (const line of lines) expect(width(line)).toBeLessThanOrEqual(columns);
      expect(lines.join('\n')).toContain('[MASK]');
      expect(lines.join('\n')).toContain('step 100');
    }
  });

  test('a sentence that was not asked before has an empty cell', () => {
    const [first, second] = fills(0, '的', '的');
    const table = beforeAndAfter(first === undefined ? [] : [first], second === undefined ? [] : [second], 100);
    expect(table).toContain('│ 今天[MASK]气很好 │        │ 的 .25 │');
  });
});

describe('after the last step', () => {
  test('the loss is set beside its floors', () => {
    const lines = endLines({ ...END, lastEval: heldOut(1000, 5.02), report: 'r.html' }, START, 3.9e6, '我[MASK]');
    expect(lines).toEqual([
      'done: step 1000 of 1000, 3.9M tokens, 06:00',
      '  held out    masked words: loss 5.02, 1.73 below the unigram line 6.75 (bigram 5.31); accuracy .100, the most frequent token alone .049',
      '              NSP: loss 0.60, accuracy .700 (guessing: 0.69, .503)',
      '  report      r.html',
      "  ask it      bertgrad fill-mask runs/first '我[MASK]'",
    ]);
  });

  test('a loss above the unigram line is called that', () => {
    const [, line] = endLines({ ...END, lastEval: heldOut(1000, 7) }, START, 1, 'x');
    expect(line).toContain('0.25 above the unigram line');
  });

  test.each([
    ['signal', 'stopped by a signal'],
    ['max-time', 'stopped by --max-time'],
  ] as const)('stopped by %s: how to go on', (reason, words) => {
    const lines = endLines({ ...END, reason }, START, 1, "it's [MASK]");
    expect(lines[0]).toContain(words);
    expect(lines).toContain('  go on       bertgrad pretrain --resume runs/first');
    expect(lines.at(-1)).toBe("  ask it      bertgrad fill-mask runs/first 'it'\\''s [MASK]'");
  });
});
