// The commands around a fine-tuned model, as a user types them: results, filters, and what is said of bad input.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { createJsBackend } from '../../src/backend/js/index.js';
import { useBackend } from '../../src/backend/select.js';
import { testFolder } from '../io/folder.js';
import { conll, sentimentTsv, squadJson, writeModel } from '../train/tasks/model.js';
import { bertgrad, sha256, start, succeed } from './program.js';

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const env = { BG_BACKEND: 'js' };
const finetune = (kind: string, train: string, out: string, ...more: string[]): string[] => [
  ...['finetune', kind, at('base'), '--train', at(train), '--dev', at(train), '-o', at(out)],
  ...['--epochs', '8', '--batch', '8', '--lr', '1e-2', '--dropout', '0', ...more],
];

beforeAll(async () => {
  useBackend(createJsBackend('f32'));
  await writeModel(at('base'));
  writeFileSync(at('train.tsv'), sentimentTsv(32));
  writeFileSync(at('train.conll'), conll(16));
  writeFileSync(at('train.json'), squadJson(16));
  writeFileSync(
    at('score.csv'),
    `sentence1,sentence2,score\n${'good film,"fine, film",4.5\nbad film,poor book,1\n'.repeat(4)}`,
  );
  writeFileSync(at('choice.jsonl'), '{"question":"who ?","choices":["ann","paris"],"label":0}\n'.repeat(8));
  succeed(finetune('classify', 'train.tsv', 'sentiment'), { env });
}, 120_000);

describe('a fine-tuned model', () => {
  test('is measured, with every example written out', () => {
    const { out, err } = succeed(
      ['evaluate', at('sentiment'), at('train.tsv'), '--json', '--predictions', at('p.jsonl')],
      { env },
    );
    const measured = JSON.parse(out);
    expect(measured.values.accuracy).toBe(
      JSON.parse(readFileSync(at('sentiment/results.json'), 'utf8')).trials[0].best.measures.values.accuracy,
    );
    expect(measured.confusion.counts.flat().reduce((sum: number, n: number) => sum + n, 0)).toBe(32);
    expect(err).toContain('text = "text" (by its name), label = "label" (by its name)');
    const [first] = readFileSync(at('p.jsonl'), 'utf8').split('\n');
    expect(JSON.parse(first)).toMatchObject({
      text: expect.stringContaining('film'),
      truth: expect.any(String),
      correct: expect.any(Boolean),
    });
  });

  test('is a filter that keeps the order, and passes over bad lines when told', () => {
    const input = 'the film was very very very good .\n{"text": "bad"}\n{"nothing\n\n[1]\npoor\n';
    const { out, err } = succeed(['predict', at('sentiment'), '--bad-lines', 'skip'], { env, input });
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).line),
    ).toEqual([1, 2, 6]);
    expect(err).toContain('line 3 is skipped');
    expect(err).toContain('line 5 is skipped');
  });

  test('stops at a bad line by default, after what stood before it', () => {
    const { code, out, err } = bertgrad(['predict', at('sentiment')], { env, input: 'good\n{"nothing\nbad\n' });
    expect([code, out.trim().split('\n').length]).toEqual([65, 1]);
    expect(err).toContain('error[DATA-LINE]: line 2 cannot be used');
  });
});

test.each([
  ['tag', 'train.conll', 'entity_f1', 'Ann lives in Paris'],
  ['qa', 'train.json', 'f1', '{"question": "who lives ?", "context": "bob lives in paris ."}'],
  ['regress', 'score.csv', 'pearson', 'good film\tfine film'],
  ['choice', 'choice.jsonl', 'accuracy', '{"question": "who ?", "choices": ["bob", "london"]}'],
])(
  'finetune %s, and its answer',
  (kind, train, metric, input) => {
    const { out } = succeed(finetune(kind, train, kind, '--json', '--epochs', '2'), { env });
    expect(JSON.parse(out)).toMatchObject({ kind, metric, trials: [{ seed: 0 }] });
    const answer = succeed(['predict', at(kind)], { env, input: `${input}\n` });
    expect(Object.keys(JSON.parse(answer.out))).toContain(
      { tag: 'entities', qa: 'answer', regress: 'value', choice: 'choice' }[kind],
    );
  },
  120_000,
);

test('a signal is heard between two steps, not at the next evaluation; the run goes on from there', async () => {
  const args = (out: string): string[] =>
    finetune('classify', 'train.tsv', out, '--epochs', '100', '--eval-every', '400');
  succeed(args('whole'), { env });
  const { child, ended } = start(args('halted'), env);
  while (!existsSync(at('halted/run.json'))) await sleep(20);
  await sleep(200);
  child.kill('SIGTERM');
  const { code, err } = await ended;
  expect([code, code === 143 ? '' : err]).toEqual([143, '']);
  expect(err).toContain(`finetune --resume ${at('halted')}`);
  succeed(['finetune', '--resume', at('halted')], { env });
  expect(sha256(at('halted/model.safetensors'))).toBe(sha256(at('whole/model.safetensors')));
}, 120_000);

describe('bad input', () => {
  const cases: readonly (readonly [name: string, args: readonly string[], code: number, says: readonly string[]])[] = [
    [
      'a column that is not there',
      finetune('classify', 'train.tsv', 'x', '--label', 'labell'),
      65,
      ['DATA-COLUMN', 'did you mean "label"'],
    ],
    [
      'a line with too few tabs',
      finetune('classify', 'short.tsv', 'x'),
      65,
      ['DATA-TASK', 'short.tsv:34', '--skip-bad'],
    ],
    ['one label only', finetune('classify', 'one.tsv', 'x'), 65, ['DATA-ONE-CLASS', '--label']],
    ['a target that is no number', finetune('regress', 'nan.csv', 'x'), 65, ['nan.csv:3', 'no finite number']],
    ['an answer that stands nowhere', finetune('qa', 'lost.json', 'x'), 65, ['id q0', 'does not stand in its text']],
    ['other bytes than UTF-8', finetune('classify', 'latin.tsv', 'x'), 65, ['DATA-ENCODING', 'latin.tsv']],
    ['no such file', finetune('classify', 'none.tsv', 'x'), 66, ['none.tsv']],
    ['no such kind', ['finetune', 'clasify', at('base')], 2, ['clasify']],
    ['a rate that is none', finetune('classify', 'train.tsv', 'x', '--lr', 'abc'), 2, ['--lr', 'abc']],
    ['nothing to learn from', ['finetune', 'classify', at('base'), '-o', at('x')], 2, ['--train']],
    ['more tokens than positions', finetune('classify', 'train.tsv', 'x', '--max-seq', '64'), 78, ['64', '48']],
    ['more layers than there are', finetune('classify', 'train.tsv', 'x', '--freeze', '7'), 78, ['CONFIG-FREEZE']],
    ['a folder with a run in it', finetune('classify', 'train.tsv', 'sentiment'), 73, ['RUN-EXISTS', '--resume']],
    ['a model without a head', ['evaluate', at('base'), at('train.tsv')], 78, ['CONFIG-ARCHITECTURE', 'finetune']],
    ['a label that the model does not know', ['evaluate', at('sentiment'), at('odd.tsv')], 65, ['odd.tsv:2', '"meh"']],
    [
      'a resumed run with other options',
      ['finetune', '--resume', at('sentiment'), '--epochs', '9'],
      2,
      ['--resume', '--epochs'],
    ],
    ['a run of another kind', ['finetune', '--resume', at('base')], 66, ['RUN-MISSING']],
    ['nothing to adapt to', ['adapt', at('base'), '-o', at('x')], 2, ['--corpus', '--task']],
  ];
  beforeAll(() => {
    writeFileSync(at('short.tsv'), sentimentTsv(32));
    appendFileSync(at('short.tsv'), 'pos\n');
    writeFileSync(at('one.tsv'), 'label\ttext\na\tx\na\ty\n');
    writeFileSync(at('nan.csv'), 'text,score\na,1\nb,NaN\n');
    writeFileSync(at('odd.tsv'), 'label\ttext\nmeh\tx\n');
    writeFileSync(at('latin.tsv'), Buffer.from('label\ttext\na\tcaf\xe9\n', 'latin1'));
    writeFileSync(
      at('lost.json'),
      squadJson(4).replace('"text":"ann","answer_start":0', '"text":"eve","answer_start":0'),
    );
  });

  test.each(cases)('%s', (_, args, code, says) => {
    const ended = bertgrad(args, { env });
    expect([ended.code, ended.out]).toEqual([code, '']);
    for (const part of says) expect(ended.err).toContain(part);
    const error = ended.err.slice(ended.err.indexOf('error['));
    expect(error.trim().split('\n').length).toBeLessThanOrEqual(5);
  });
});
