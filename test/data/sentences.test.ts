import { describe, expect, test } from '@jest/globals';
import { icuWords, SentenceEncoder } from '../../src/data/segment.js';
import { documentSentences, sentenceSplitter, splitChinese } from '../../src/data/sentences.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { Vocab } from '../../src/data/vocab.js';
import { englishSplitter } from '../../src/io/corpus-sentences.js';

describe('Chinese sentences', () => {
  test.each([
    ['你好。世界！真的？是', ['你好。', '世界！', '真的？', '是']],
    ['他说：“好！我去。”然后走了。', ['他说：“好！', '我去。”', '然后走了。']],
    ['“走吧！”，他说。', ['“走吧！”，他说。']],
    ['真的？！是的……好吧。', ['真的？！', '是的……', '好吧。']],
    ['（见下文。）《书》里有。', ['（见下文。）', '《书》里有。']],
    ['  没有标点  ', ['没有标点']],
    ['。。。', ['。。。']],
    ['', []],
  ])('%s', (text, wanted) => {
    expect(splitChinese(text)).toEqual(wanted);
    expect(splitChinese(text).join('')).toBe(text.trim());
  });
});

describe('sentences of a document', () => {
  test('the language of a paragraph decides whose rules cut it', async () => {
    const { name, split } = await englishSplitter();
    expect(name).toContain('sentencex');
    const auto = sentenceSplitter('auto', split);
    expect(auto('Dr. Smith left. He said no.')).toEqual(['Dr. Smith left.', 'He said no.']);
    expect(auto('他来了。她走了。')).toEqual(['他来了。', '她走了。']);
    expect(sentenceSplitter('zh', split)('a. b。c. d')).toEqual(['a. b。', 'c. d']);
  });

  const split = (text: string): string[] => text.split('|');
  test('auto cuts paragraphs and leaves lines that are sentences', () => {
    const lines = ['a', 'b', 'c|d', 'e', 'f'];
    expect(documentSentences(lines, 'auto', split)).toEqual({ sentences: lines, cut: false });
    expect(documentSentences(['a|b', 'c|d', 'e'], 'auto', split)).toEqual({
      sentences: ['a', 'b', 'c', 'd', 'e'],
      cut: true,
    });
    expect(documentSentences(lines, 'split', split).sentences).toHaveLength(6);
    expect(documentSentences(['a|b'], 'lines', split).sentences).toEqual(['a|b']);
  });
});

describe('word marks', () => {
  const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'play', '##ing', '##s', ',', ...'我们在北京大学学习的'];
  const tokenizer = new Tokenizer(new Vocab([...new Set(tokens)]), { lowercase: true });
  const marks = (text: string, words = icuWords()): [string, string] => {
    const { ids, starts } = new SentenceEncoder(tokenizer, words).encode(text);
    expect(Array.from(ids)).toEqual(tokenizer.pieces(text).ids);
    return [Array.from(ids, (id) => tokenizer.vocab.token(id)).join(' '), starts.join('')];
  };

  test('a ## piece goes on with its word, a Chinese character with the word of the dictionary', () => {
    expect(marks('Playing plays, playing')).toEqual(['play ##ing play ##s , play ##ing', '1010110']);
    expect(marks('我们在学习')).toEqual(['我 们 在 学 习', '10110']);
    expect(marks('我们playing我们')).toEqual(['我 们 play ##ing 我 们', '101010']);
    expect(marks('猫们')[0]).toBe('[UNK] 们'); // not in the vocabulary: a piece like any other
  });

  test('words may come from elsewhere, and long runs are cut', () => {
    const pairs = (run: string): string[] => run.match(/.{1,4}/gu) ?? [];
    expect(marks('北京大学学习', pairs)[1]).toBe('100010');
    expect(marks('我们'.repeat(500))[1]).toBe('10'.repeat(500));
    expect(marks('')).toEqual(['', '']);
  });
});
