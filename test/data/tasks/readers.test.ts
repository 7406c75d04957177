import { describe, expect, test } from '@jest/globals';
import type { RawTable } from '../../../src/core/raw-table.js';
import { readChoices } from '../../../src/data/tasks/choice.js';
import { labelSet, readSequences } from '../../../src/data/tasks/sequence.js';
import { readSquad } from '../../../src/data/tasks/squad.js';
import { readConll, readTagRecords, schemeOf, tagSet } from '../../../src/data/tasks/tags.js';

const table = (...rows: string[][]): RawTable => ({
  source: 'x.tsv',
  rows: rows.map((cells, i) => ({ line: i + 1, cells, record: new Map() })),
});
const records = (...rows: object[]): RawTable => ({
  source: 'x.jsonl',
  rows: rows.map((record, i) => ({ line: i + 1, cells: null, record: new Map(Object.entries(record)) })),
});
const single = { pairs: false, target: 'class' } as const;
const pair = { pairs: true, target: 'class' } as const;

describe('columns', () => {
  test.each([
    ['a header', table(['label', 'text'], ['1', 'good']), 'text = "text" (by its name), label = "label" (by its name)'],
    [
      'other names',
      table(['index_id', 'category', 'Sentence'], ['7', 'a', 'x']),
      'text = "Sentence" (by its name), label = "category"',
    ],
    [
      'no header',
      table(['good film, really', '1'], ['bad film, really', '0'], ['fine film', '1']),
      'the file has no header',
    ],
    [
      'unknown names',
      records({ body: 'a long text', kind: 'a' }, { body: 'another text', kind: 'a' }),
      'text = "body" (by its values), label = "kind"',
    ],
  ])('%s', (_, raw, said) => {
    expect(readSequences(raw, single).said).toContain(said);
  });

  test('pairs find both texts, and a label between them', () => {
    const { examples, said } = readSequences(table(['question', 'sentence', 'label'], ['q?', 's.', '0']), pair);
    expect(examples).toEqual([{ line: 2, text: 'q?', pair: 's.', labels: ['0'], value: null }]);
    expect(said).toContain('text = "question"');
  });

  test('are taken as asked, by name or number, and a near name is told', () => {
    const raw = table(['a', 'b', 'text'], ['one', 'two', 'three']);
    const asked = readSequences(raw, { ...single, columns: { text: 'A', label: '2' } });
    expect(asked.examples[0]).toMatchObject({ text: 'one', labels: ['two'] });
    expect(() => readSequences(raw, { ...single, columns: { text: 'texxt' } })).toThrow('did you mean "text"');
  });

  test('a lack is told with what is there', () => {
    expect(() => readSequences(table(['text'], ['a'], ['b']), single)).toThrow('no column for the label');
  });
});

describe('bad rows are counted and named by line', () => {
  test('too few columns, no label, unknown labels: all at once', () => {
    const raw = table(['text', 'label'], ['good', 'pos'], ['cut short'], ['fine', ''], ['odd', 'none'], ['', 'neg']);
    const { examples, problems } = readSequences(raw, { ...single, known: new Set(['pos', 'neg']) });
    expect(examples.map(({ line }) => line)).toEqual([2, 6]);
    expect(problems.counts().map(({ kind, count, first }) => [kind, count, first[0]])).toEqual([
      ['columns', 1, 'x.tsv:3'],
      ['unlabelled', 1, 'x.tsv:4'],
      ['label', 1, 'x.tsv:5'],
      ['empty', 1, 'x.tsv:6'],
    ]);
    expect(() => problems.settle(false)).toThrow('3 of 5 rows cannot be used');
    expect(() => problems.settle(true)).not.toThrow();
  });

  test.each(['NaN', 'inf', '', 'many', '1e999', null])('the target %j is no number', (score) => {
    const { problems } = readSequences(records({ text: 'a', score }), { pairs: false, target: 'value' });
    expect(problems.counts()[0]).toMatchObject({ kind: 'value', count: 1 });
  });
});

test('several labels: a list, or a text with commas', () => {
  const raw = records({ text: 'a', labels: ['x', 'y'] }, { text: 'b', labels: 'y, z' }, { text: 'c', labels: [] });
  const { examples } = readSequences(raw, { pairs: false, target: 'labels' });
  expect(examples.map(({ labels }) => labels)).toEqual([['x', 'y'], ['y', 'z'], []]);
  expect(labelSet(examples)).toEqual(['x', 'y', 'z']);
});

test('labels that are numbers are ordered by size', () => {
  expect(labelSet([{ labels: ['10'] }, { labels: ['9'] }, { labels: ['-1'] }])).toEqual(['-1', '9', '10']);
});

test('a record with lists of texts and labels is as many examples', () => {
  const { examples } = readSequences(records({ sentences: ['a', 'b'], labels: ['x', 'y'] }), single);
  expect(examples.map(({ text, labels }) => [text, labels])).toEqual([
    ['a', ['x']],
    ['b', ['y']],
  ]);
});

describe('CoNLL', () => {
  test('two columns, a hash as a word, sentences of uneven length', () => {
    const { examples, said } = readConll(['#', '#\tO', 'Paris\tB-LOC', '', '', 'x\tO', ''], 'a.conll');
    expect(examples).toEqual([
      { line: 2, words: ['#', 'Paris'], tags: ['O', 'B-LOC'] },
      { line: 6, words: ['x'], tags: ['O'] },
    ]);
    expect(said).toContain('tags in column 2');
  });

  test('numbered words with comments, as Universal NER has them', () => {
    const lines = ['# text = a b', '1\tNew\tB-LOC\t-\t-', '2\tYork\tI-LOC\t-\t-', '', '1\tx\tO\t-\t-'];
    expect(readConll(lines, 'a.iob2').examples[0]).toEqual({
      line: 2,
      words: ['New', 'York'],
      tags: ['B-LOC', 'I-LOC'],
    });
  });

  test('CoNLL 2003: blanks between, the tag last, document marks', () => {
    const lines = ['-DOCSTART- -X- -X- O', '', 'EU NNP B-NP B-ORG', 'rejects VBZ B-VP O'];
    expect(readConll(lines, 'a').examples[0]).toMatchObject({ words: ['EU', 'rejects'], tags: ['B-ORG', 'O'] });
  });

  test('a line without a tag, and a tag that nothing began', () => {
    const { examples, problems } = readConll(['a\tO', 'b', '', 'c\tI-LOC', 'd\tO'], 'a.conll');
    expect(examples).toHaveLength(1);
    expect(problems.counts().map(({ kind, first, what }) => [kind, first, what.includes('2 words, 1 tags')])).toEqual([
      ['tags', ['a.conll:1'], true],
      ['scheme', ['a.conll:4'], false],
    ]);
  });

  test('lists in records', () => {
    const raw = records({ tokens: ['a', 'b'], ner_tags: ['O', 'S-X'] }, { tokens: ['a'], ner_tags: ['O', 'O'] });
    const { examples, problems } = readTagRecords(raw, { tagged: true });
    expect([examples.length, problems.counts()[0].kind]).toEqual([1, 'tags']);
    expect(tagSet(examples)).toEqual(['O', 'S-X']);
  });

  test.each([
    [['O', 'B-X', 'I-X'], 'BIO'],
    [['O', 'S-X'], 'BIOES'],
    [['NN', 'VB'], null],
    [['O'], null],
  ])('%j are %s', (tags, scheme) => {
    expect(schemeOf(tags)).toBe(scheme);
  });
});

describe('SQuAD', () => {
  const squad = (answers: object[], rest: object = {}) => ({
    data: [
      { paragraphs: [{ context: '小😀猫吃鱼。猫吃鱼', qas: [{ id: 'q1', question: '谁吃鱼？', answers, ...rest }] }] },
    ],
  });

  test.each([
    ['at its offset', 5, 5, false],
    ['counted in code points, as Python does', 4, 5, false],
    ['elsewhere: the nearest place', 100, 9, true],
  ])('an answer %s', (_, offset, start, moved) => {
    const { examples, problems } = readSquad(squad([{ text: '鱼', answer_start: offset }]), 'd.json');
    expect(examples[0].answers[0].start).toBe(start);
    expect(problems.counts().some(({ kind }) => kind === 'moved')).toBe(moved);
  });

  test('an answer that stands nowhere is bad, one of several may', () => {
    const lost = readSquad(squad([{ text: '狗', answer_start: 0 }]), 'd.json');
    expect(lost.examples).toHaveLength(0);
    expect(() => lost.problems.settle(false)).toThrow('d.json, question 1 (id q1)');
    expect(
      readSquad(
        squad([
          { text: '狗', answer_start: 0 },
          { text: '鱼', answer_start: 5 },
        ]),
        'd.json',
      ).examples[0].answers.map(({ start }) => start),
    ).toEqual([-1, 5]);
  });

  test('no answer in version 2, and records of Hugging Face', () => {
    expect(readSquad(squad([], { is_impossible: true }), 'd.json').examples[0].answers).toEqual([]);
    const flat = [{ id: 'a', question: 'q', context: 'the cat', answers: { text: ['cat'], answer_start: [4] } }];
    expect(readSquad(flat, 'd.jsonl').examples[0].answers).toEqual([{ text: 'cat', start: 4 }]);
    expect(() => readSquad({ data: [] }, 'd.json')).toThrow('holds no questions');
  });
});

describe('choices', () => {
  test('columns or a list; numbers, letters or the text itself', () => {
    const columns = readChoices(table(['question', 'choice0', 'choice1', 'label'], ['q', 'a', 'b', 'B']), {
      answered: true,
    });
    expect(columns.examples).toEqual([{ line: 2, question: 'q', choices: ['a', 'b'], answer: 1 }]);
    const lists = readChoices(records({ question: 'q', choices: ['a', 'b'], label: 'a' }), { answered: true });
    expect(lists.examples[0].answer).toBe(0);
    const from1 = readChoices(
      records({ question: 'q', choices: ['a', 'b'], label: 2 }, { question: 'r', choices: ['a', 'b'], label: 1 }),
      { answered: true },
    );
    expect(from1.examples.map(({ answer }) => answer)).toEqual([1, 0]);
  });

  test('an answer beyond the choices is bad', () => {
    const { problems } = readChoices(records({ question: 'q', choices: ['a', 'b'], label: 7 }), { answered: true });
    expect(problems.counts()[0]).toMatchObject({ kind: 'choice', count: 1 });
  });
});
