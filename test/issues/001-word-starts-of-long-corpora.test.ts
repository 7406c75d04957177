// The marks of word starts were lost whenever their column grew, so that whole words of a corpus beyond 8,192 tokens
// were masked by pieces of many words.
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { startsWord } from '../../src/data/document.js';
import { sha256 } from '../../src/data/sha256.js';
import { openShards } from '../../src/io/shards.js';
import { ShardsWriter } from '../../src/io/shards-writer.js';
import { testFolder } from '../io/folder.js';

const folder = join(testFolder(), 'shards');

test('word starts outlive the growth of their column', async () => {
  const text = '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n';
  const vocab = { text, sha256: sha256(Buffer.from(text)), size: 6 };
  const writer = await ShardsWriter.create(folder, { vocab, tokenizerConfig: {} });
  // 21 tokens a sentence: neither a multiple of 8, nor one of the growth.
  const [sentence, starts] = [new Int32Array(21).fill(5), Uint8Array.from({ length: 21 }, (_, i) => Number(i % 4 < 2))];
  for (let s = 0; s < 5000; s++) writer.sentence(sentence, starts);
  await writer.endDocument();
  await writer.finish({});
  const { corpus } = await openShards(folder);
  const wrong = corpus.ids.findIndex((_, i) => startsWord(corpus, i) !== (starts[i % 21] === 1));
  expect([corpus.ids.length, wrong]).toEqual([21 * 5000, -1]);
});
