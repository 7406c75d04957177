// Fine-tuning from a folder to a folder, on the plain backend: results, resume, and what each option changes.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { createJsBackend } from '../../../src/backend/js/index.js';
import { useBackend } from '../../../src/backend/select.js';
import { readSafetensors } from '../../../src/io/safetensors.js';
import { beginFinetune, type FinetuneAround, type FinetunePlan, resumeFinetune } from '../../../src/train/finetune.js';
import { Classifier, Reader, Tagger } from '../../../src/train/predictors.js';
import { withTask } from '../../../src/train/tasks/folder.js';
import { evaluate } from '../../../src/train/tasks/infer.js';
import { failure, testFolder } from '../../io/folder.js';
import { conll, sentimentTsv, squadJson, writeModel } from './model.js';

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const backend = createJsBackend('f32');

const silent = (stop = new AbortController()): FinetuneAround => ({
  prepared: () => undefined,
  point: () => undefined,
  step: () => undefined,
  warn: () => undefined,
  stop: stop.signal,
});

function plan(kind: FinetunePlan['task']['kind'], train: string, changes: Partial<FinetunePlan> = {}): FinetunePlan {
  return {
    base: at('base'),
    task: {
      kind,
      train: at(train),
      dev: at(train),
      columns: {},
      multiLabel: false,
      skipBad: false,
      settings: { maxSeq: 32, truncate: 'head', stride: 10 },
      memory: {},
      classWeights: 'none',
      limit: null,
      fromScratch: false,
    },
    options: {
      epochs: 12,
      batch: 8,
      warmup: 0.1,
      schedule: 'linear',
      optimizer: 'standard',
      weightDecay: 0.01,
      clip: 1,
      layerDecay: 1,
      freeze: 'none',
      evalEvery: 0,
      patience: 0,
    },
    rates: [0.01],
    seeds: [0],
    dropout: 0,
    ...changes,
  };
}

beforeAll(async () => {
  useBackend(backend);
  await writeModel(at('base'));
  writeFileSync(at('train.tsv'), sentimentTsv(48));
  writeFileSync(at('train.conll'), conll(40));
  writeFileSync(at('train.json'), squadJson(40));
});

describe('learns what can be learnt', () => {
  test('classes; the folder answers, and leaks nothing', async () => {
    const live = backend.liveBytes;
    const { results, reason } = await beginFinetune(at('classify'), plan('classify', 'train.tsv'), silent());
    expect([reason, results.metric, results.summary[0].values.accuracy.mean]).toEqual(['done', 'accuracy', 1]);
    expect(results.fresh).toEqual(['classifier.weight', 'classifier.bias']);
    expect(results.train.labels).toEqual({ neg: 16, pos: 32 });
    const classifier = await Classifier.load(at('classify'));
    expect(classifier.labels).toEqual(['neg', 'pos']);
    const answers = await classifier.predictAll(['the film was good .', 'a book was very poor .']);
    expect(answers.map(({ label }) => label)).toEqual(['pos', 'neg']);
    expect(answers[0].score).toBeCloseTo(answers[0].scores.pos, 12);
    classifier.dispose();
    await backend.flush();
    expect(backend.liveBytes).toBe(live);
  });

  test('tags, and in windows when a sentence is too long', async () => {
    const end = await beginFinetune(at('tag'), plan('tag', 'train.conll'), silent());
    expect(end.results.summary[0].values).toMatchObject({ entity_f1: { mean: 1 }, strict_entity_f1: { mean: 1 } });
    const tagger = await Tagger.load(at('tag'));
    const { words, entities } = await tagger.predict('Ann lives in London');
    expect(entities.map(({ type, start, end: to }) => [type, ...words.slice(start, to)])).toEqual([
      ['PER', 'Ann'],
      ['LOC', 'London'],
    ]);
    const long = await tagger.predict(Array.from({ length: 20 }, () => ['bob', 'lives', 'in', 'paris']).flat());
    expect([long.tags.length, long.entities.length]).toEqual([80, 40]);
    tagger.dispose();
  });

  test('answers in a text', async () => {
    const end = await beginFinetune(
      at('qa'),
      plan('qa', 'train.json', { options: { ...plan('qa', '').options, epochs: 20 } }),
      silent(),
    );
    expect(end.results.summary[0].values.exact_match.mean).toBe(1);
    const reader = await Reader.load(at('qa'));
    const context = 'the film . Bob lives in Paris .';
    const answer = await reader.predict({ question: 'who lives ?', context });
    expect(context.slice(answer.start, answer.end)).toBe(answer.text);
    reader.dispose();
  });
});

describe('resume', () => {
  test('goes on bit for bit after a stop in the middle of an epoch', async () => {
    const short = { options: { ...plan('classify', '').options, epochs: 3 }, seeds: [0, 1], dropout: 0.1 };
    await beginFinetune(at('whole'), plan('classify', 'train.tsv', short), silent());
    const stop = new AbortController();
    let steps = 0;
    const around = { ...silent(stop), step: () => void (++steps === 8 && stop.abort()) };
    const first = await beginFinetune(at('parts'), plan('classify', 'train.tsv', short), around);
    expect([first.reason, first.results.trials.length]).toEqual(['signal', 0]);
    const second = await resumeFinetune(at('parts'), silent());
    expect([second.reason, second.results.trials.length]).toEqual(['done', 2]);
    const read = async (name: string) => (await readSafetensors(join(at(name), 'model.safetensors'))).tensors;
    const [whole, parts] = [await read('whole'), await read('parts')];
    for (const [name, { data }] of whole) expect([name, parts.get(name)?.data]).toEqual([name, data]);
    const trials = (name: string) =>
      JSON.parse(readFileSync(join(at(name), 'results.json'), 'utf8')).trials.map((t: { points: unknown }) => t.points);
    expect(trials('parts')).toEqual(trials('whole'));
  });

  test('refuses other examples than it began with', async () => {
    writeFileSync(at('changing.tsv'), sentimentTsv(24));
    const stop = new AbortController();
    await beginFinetune(at('changed'), plan('classify', 'changing.tsv'), { ...silent(stop), step: () => stop.abort() });
    writeFileSync(at('changing.tsv'), sentimentTsv(25));
    expect(await failure(resumeFinetune(at('changed'), silent()))).toMatchObject({ code: 'CONFIG-DATA-CHANGED' });
  });
});

describe('options', () => {
  const run = async (name: string, changes: Partial<FinetunePlan['options']>, more: Partial<FinetunePlan> = {}) => {
    const options = { ...plan('classify', '').options, epochs: 2, ...changes };
    await beginFinetune(at(name), plan('classify', 'train.tsv', { options, ...more }), silent());
    return (await readSafetensors(join(at(name), 'model.safetensors'))).tensors;
  };
  const base = async () => (await readSafetensors(join(at('base'), 'model.safetensors'))).tensors;
  const moved = (a: Awaited<ReturnType<typeof base>>, b: typeof a): string[] =>
    [...a].flatMap(([name, { data }]) => {
      const other = b.get(name);
      return other !== undefined && data.some((x, i) => x !== other.data[i]) ? [name] : [];
    });

  test('what is frozen stays as it was, bit for bit', async () => {
    const before = await base();
    const all = moved(await run('thawed', {}), before);
    expect(all.some((name) => name.includes('embeddings'))).toBe(true);
    const frozen = moved(await run('frozen', { freeze: 1 }), before);
    expect(frozen.filter((name) => /embeddings|layer\.0\./.test(name))).toEqual([]);
    expect(frozen.some((name) => name.includes('layer.1.'))).toBe(true);
    expect(moved(await run('head', { freeze: 'encoder' }), before)).toEqual([]);
  });

  test('layers further down move less with layer decay', async () => {
    const before = await base();
    const distance = (after: typeof before, name: string): number => {
      const [a, b] = [before, after].map((weights) => Float64Array.from(weights.get(name)?.data ?? []));
      return Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0));
    };
    const [same, decayed] = [await run('flat', {}), await run('decay', { layerDecay: 0.3 })];
    const query = (layer: number) => `bert.encoder.layer.${layer}.attention.self.query.weight`;
    expect(distance(decayed, query(0)) / distance(same, query(0))).toBeLessThan(0.4);
    expect(distance(decayed, query(1))).toBeGreaterThan(2 * distance(decayed, query(0)));
  });

  test('products in bf16 move other bits the same way; weights stay f32', async () => {
    const before = await base();
    const [floats, narrow] = [await run('f32', {}), await run('bf16', { precision: 'bf16' })];
    const name = 'bert.encoder.layer.1.output.dense.weight';
    const [from, a, b] = [before, floats, narrow].map((weights) => Float64Array.from(weights.get(name)?.data ?? []));
    const apart = Math.hypot(...a.map((x, i) => x - b[i]));
    expect(apart).toBeGreaterThan(0);
    expect(apart).toBeLessThan(0.3 * Math.hypot(...a.map((x, i) => x - from[i])));
    expect(b.some((x) => new Uint32Array(Float32Array.of(x).buffer)[0] % 2 ** 16 !== 0)).toBe(true);
  });

  test('patience ends a trial, several rates and seeds are averaged', async () => {
    const options = { ...plan('classify', '').options, epochs: 40, patience: 2 };
    const { results } = await beginFinetune(
      at('patient'),
      plan('classify', 'train.tsv', { options, seeds: [0, 1] }),
      silent(),
    );
    expect(results.trials.map(({ stoppedEarly }) => stoppedEarly)).toEqual([true, true]);
    expect(results.summary[0]).toMatchObject({ seeds: 2 });
    expect(results.trials[0].steps).toBeLessThan(40 * 6);
  });

  test('class weights count rare classes more, and names that are not there are told', async () => {
    const task = { ...plan('classify', 'train.tsv').task, classWeights: 'balanced' as const };
    const balanced = await beginFinetune(at('balanced'), plan('classify', 'train.tsv', { task }), silent());
    expect(balanced.results.trials).toHaveLength(1);
    const wrong = { ...task, classWeights: { happy: 2 } };
    expect(
      await failure(beginFinetune(at('w'), plan('classify', 'train.tsv', { task: wrong }), silent())),
    ).toMatchObject({
      code: 'CONFIG-CLASS-WEIGHTS',
    });
  });
});

describe('bad input', () => {
  test.each([
    ['one class only', 'label\ttext\na\tx\na\ty\n', 'DATA-ONE-CLASS'],
    ['a line with too few tabs', 'label\ttext\na\tx\nb\n', 'DATA-TASK'],
    ['a single row', 'label\ttext\n', 'DATA-EMPTY'],
  ])('%s', async (name, content, code) => {
    writeFileSync(at('bad.tsv'), content);
    const work = beginFinetune(at(`bad ${name}`), plan('classify', 'bad.tsv'), silent());
    expect(await failure(work)).toMatchObject({ code });
  });

  test('labels that dev alone has are told by line', async () => {
    writeFileSync(at('odd.tsv'), 'label\ttext\npos\tx\nodd\ty\n');
    const task = { ...plan('classify', 'train.tsv').task, dev: at('odd.tsv') };
    const error = await failure(beginFinetune(at('odd'), plan('classify', 'train.tsv', { task }), silent()));
    expect([error.code, error.where]).toEqual(['DATA-TASK', `${at('odd.tsv')}:3`]);
  });
});

test('an evaluation of the folder gives the figures of the training', async () => {
  const { trials } = JSON.parse(readFileSync(join(at('classify'), 'results.json'), 'utf8'));
  const measured = await withTask(at('classify'), {}, async ({ kind, task, model }) => {
    const { examples } = await kind.read(at('train.tsv'), { columns: {}, multiLabel: false });
    return await evaluate(model, task, examples);
  });
  expect(measured.measures).toEqual(trials[0].best.measures);
  expect(measured.loss).toBeCloseTo(trials[0].best.devLoss, 6);
});
