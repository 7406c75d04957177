// A 5-layer BertForPreTraining that somebody else exported: logits of ONNX Runtime, losses in float64.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packedInput, packedPositions } from '../../src/bert/input.js';
import { SPECIAL_TOKENS } from '../../src/data/vocab.js';
import { inference } from '../../src/nn/pass.js';
import { loadModel } from '../../src/train/model-folder.js';
import { testFolder } from '../io/folder.js';
import { describeWithData, sharedData } from '../skip.js';

interface Case {
  readonly inputs: Readonly<Record<'input_ids' | 'token_type_ids' | 'attention_mask', number[][]>>;
  readonly outputs: Readonly<
    Record<'prediction_logits' | 'seq_relationship_logits', { shape: number[]; data: number[] }>
  >;
  readonly labels: { readonly mlm_labels: number[][]; readonly next_sentence_label: number[] };
  readonly losses: { readonly mlm: number; readonly nsp: number };
}
const PATH = 'vectors/bert_toy_pretraining';
const folder = testFolder();

describeWithData(PATH)('a toy of ONNX Runtime', () => {
  test('logits within 1e-5, losses within 1e-6', async () => {
    cpSync(sharedData(PATH), folder, { recursive: true });
    const words = Array.from({ length: 94 }, (_, i) => `w${i}`);
    writeFileSync(join(folder, 'vocab.txt'), `${[...SPECIAL_TOKENS, ...words].join('\n')}\n`);
    const { cases }: { cases: Case[] } = JSON.parse(readFileSync(join(folder, 'goldens.json'), 'utf8'));
    const { model, missing, unused } = await loadModel(folder);
    expect([missing, unused, cases.length]).toEqual([[], [], 3]);
    for (const { inputs, outputs, labels, losses } of cases) {
      const [batch, seq] = [inputs.input_ids.length, inputs.input_ids[0].length];
      const padded = {
        batch,
        seq,
        inputIds: Int32Array.from(inputs.input_ids.flat()),
        tokenTypeIds: Int32Array.from(inputs.token_type_ids.flat()),
        lengths: Int32Array.from(inputs.attention_mask, (row) => row.reduce((sum, x) => sum + x, 0)),
      };
      const input = packedInput(padded);
      const tokens = Int32Array.from(inputs.attention_mask.flat().flatMap((kept, i) => (kept === 1 ? [i] : [])));
      const flat = labels.mlm_labels.flat();
      const marked = tokens.filter((place) => flat[place] >= 0);
      const out = model.forward(input, packedPositions(padded, input, tokens), inference());
      const got = await out.mlmLogits.data();
      const width = outputs.prediction_logits.shape[2];
      tokens.forEach((place, row) => {
        for (let c = 0; c < width; c++) {
          const difference = got[row * width + c] - outputs.prediction_logits.data[place * width + c];
          if (!(Math.abs(difference) < 1e-5)) expect([place, c, difference]).toBe(0);
        }
      });
      const sentence = await out.sentenceLogits.data();
      for (const [i, want] of outputs.seq_relationship_logits.data.entries())
        expect(Math.abs(sentence[i] - want)).toBeLessThan(1e-5);
      const loss = model.loss(
        input,
        {
          maskedPositions: packedPositions(padded, input, marked),
          maskedLabels: marked.map((place) => flat[place]),
          sentenceLabels: Int32Array.from(labels.next_sentence_label),
          maskedTotal: marked.length,
          sentenceTotal: batch,
        },
        inference(),
      );
      expect((await loss.mlmLoss.item()) / losses.mlm).toBeCloseTo(1, 6);
      expect((await loss.sentenceLoss.item()) / losses.nsp).toBeCloseTo(1, 6);
    }
    model.dispose();
  });
});
