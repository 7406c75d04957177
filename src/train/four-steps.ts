import { join } from 'node:path';
import { preset } from '../bert/config.js';
import { PretrainDataset } from '../data/dataset.js';
import type { SequenceExample } from '../data/tasks/sequence.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { readDocuments } from '../io/corpus.js';
import { disk, readJsonFile, writeFileAtomic } from '../io/files.js';
import { RUN } from '../io/run-folder.js';
import { openShards } from '../io/shards.js';
import { type AdaptSource, adapt } from './adapt.js';
import { beginFinetune, type FinetuneAround, type FinetunePlan, resumeFinetune } from './finetune.js';
import {
  ARMS,
  type Arm,
  type ArmResult,
  baselinesOf,
  claimsOf,
  type FourStepsPlan,
  type FourStepsResults,
  type MaskedLosses,
} from './four-steps/results.js';
import { loadModel } from './model-folder.js';
import { defaultIntervals, defaultRate, type PretrainOptions } from './options.js';
import { prepareCorpus } from './prepare.js';
import { beginRun, resumeRun, type Surroundings } from './pretrain.js';
import { evaluateBatches } from './step.js';
import { sequenceKind } from './tasks/kinds.js';
import { drawn } from './tasks/prepare.js';

export interface FourStepsAround {
  /** A new reporter and the rest, for one run of pre-training. */
  surroundings(title: string): Surroundings;
  finetuning: FinetuneAround;
  say(text: string): void;
}

/** Folders of an experiment. */
const at = (folder: string) => ({
  shards: join(folder, 'general.data'),
  run: (name: string): string => join(folder, name),
  results: join(folder, 'results.json'),
});

class Experiment {
  readonly seconds: Record<string, number> = {};
  readonly paths: ReturnType<typeof at>;

  constructor(
    private readonly folder: string,
    private readonly plan: FourStepsPlan,
    private readonly tokenizer: Tokenizer,
    private readonly around: FourStepsAround,
  ) {
    this.paths = at(folder);
  }

  /** Times a stage; one that ended in an earlier sitting is not done again. */
  private async stage(
    name: string,
    begun: string,
    begin: () => Promise<unknown>,
    resume: () => Promise<unknown>,
  ): Promise<void> {
    const done = join(this.folder, `${name.replaceAll(/[^\w+-]/g, '-')}.done.json`);
    const names = await disk.list(this.folder);
    if (names.includes(done.slice(this.folder.length + 1))) {
      this.seconds[name] = Number((await readJsonFile(done)).seconds);
      return;
    }
    this.around.say(name);
    const began = performance.now();
    const there = (await disk.list(begun)).includes(RUN.json);
    await (there ? resume() : begin());
    this.seconds[name] = (performance.now() - began) / 1000;
    await writeFileAtomic(done, JSON.stringify({ seconds: this.seconds[name] }));
  }

  private optionsOf(steps: number, lr: number, first: boolean): PretrainOptions {
    const { batch, maxSeq } = this.plan;
    return {
      data: { sentenceTask: 'none', heldOut: 0.05 },
      steps,
      batch,
      accumulate: 1,
      maxSeq,
      firstPart: first ? { maxSeq: 16, steps: Math.round(0.5 * steps) } : null,
      lr,
      warmupSteps: Math.round(0.1 * steps),
      schedule: 'linear',
      optimizer: 'standard',
      weightDecay: 0.01,
      clip: 1,
      seed: 0,
      packing: 'packed',
      precision: 'f32',
      biasInit: first ? 'unigram' : 'zero',
    };
  }

  /** General pre-training from nothing. */
  async pretrain(): Promise<void> {
    const { general, steps, layers, maxSeq } = this.plan;
    const { shards } = this.paths;
    const folder = this.paths.run('general');
    const around = this.around.surroundings('general');
    const sitting = { maxSeconds: Number.POSITIVE_INFINITY };
    const begin = async (): Promise<void> => {
      const request = { corpus: general, tokenizer: this.tokenizer, folder: shards, overwrite: true } as const;
      await prepareCorpus({ ...request, sentences: 'auto', language: 'auto' });
      await beginRun(
        {
          ...sitting,
          folder,
          shards,
          configFor: (vocabSize) =>
            preset('tiny', { vocabSize, numHiddenLayers: layers, maxPositionEmbeddings: 2 * maxSeq }),
          optionsFor: (config) => this.optionsOf(steps.general, defaultRate(config), true),
          samples: [],
          intervals: defaultIntervals(steps.general),
        },
        around,
      );
    };
    const resume = () => resumeRun({ ...sitting, folder, shards: null, intervalsFor: defaultIntervals }, around);
    await this.stage('pre-training', folder, begin, resume);
  }

  /** Goes on from one model to another. */
  async adapt(name: Arm, base: Arm, source: AdaptSource, steps: number): Promise<void> {
    const folder = this.paths.run(name);
    const around = this.around.surroundings(name);
    const begin = () =>
      adapt(
        {
          base: this.paths.run(base),
          source,
          folder,
          addWords: 0,
          optionsFor: (config) => this.optionsOf(steps, defaultRate(config) / 2, false),
          intervalsFor: () => defaultIntervals(steps),
          maxSeconds: Number.POSITIVE_INFINITY,
        },
        { ...around, prepared: () => undefined },
      );
    const resume = () =>
      resumeRun({ folder, shards: null, maxSeconds: Number.POSITIVE_INFINITY, intervalsFor: defaultIntervals }, around);
    await this.stage(name, folder, begin, resume);
  }

  /** Masked-word losses of a stage's model on text held back from all of them. */
  async losses(arm: Arm): Promise<MaskedLosses> {
    const { model } = await loadModel(this.paths.run(arm));
    const of = async (shards: string): Promise<number> => {
      const { corpus } = await openShards(shards);
      const { maxSeq, batch } = this.plan;
      const data = new PretrainDataset(corpus, {
        vocab: this.tokenizer.vocab,
        seed: 0,
        batch,
        maxSeq,
        sentenceTask: 'none',
      });
      return (await evaluateBatches(model, data.evalBatches(), 'packed')).mlmLoss;
    };
    const losses = {
      general: await of(this.paths.shards),
      domain: await of(join(`${this.paths.run('dapt')}.data`, 'shards')),
      task: await of(join(`${this.paths.run('tapt')}.data`, 'shards')),
    };
    model.dispose();
    return losses;
  }

  /** Fine-tunes an arm with all seeds. */
  async finetune(arm: Arm, limit: number): Promise<ArmResult> {
    const { train, dev, columns, epochs, lr, seeds, maxSeq } = this.plan;
    const folder = this.paths.run(`task-${arm}-${limit}`);
    const plan: FinetunePlan = {
      base: this.paths.run(arm === 'random' ? 'general' : arm),
      task: {
        kind: 'classify',
        train,
        dev,
        columns,
        multiLabel: false,
        skipBad: true,
        settings: { maxSeq: 2 * maxSeq, truncate: 'head', stride: maxSeq },
        memory: {},
        classWeights: 'none',
        limit,
        fromScratch: arm === 'random',
      },
      options: {
        ...{ epochs, batch: 32, warmup: 0.1, schedule: 'linear', optimizer: 'standard', weightDecay: 0.01, clip: 1 },
        ...{ layerDecay: 1, freeze: 'none', evalEvery: 0, patience: 0 },
      },
      rates: [lr],
      seeds: Array.from({ length: seeds }, (_, i) => i),
      dropout: null,
    };
    const { finetuning } = this.around;
    const begin = () => beginFinetune(folder, plan, finetuning);
    await this.stage(`fine-tuning ${arm}, ${limit} examples`, folder, begin, () => resumeFinetune(folder, finetuning));
    const { trials } = (await readJsonFile(join(folder, 'results.json'))) as unknown as TrialsFile;
    const last = (name: string): number[] =>
      trials.map(({ points }) => points[points.length - 1].measures.values[name]);
    const seconds = trials.reduce((sum, trial) => sum + trial.seconds, 0);
    return { arm, limit, macroF1: last('macro_f1'), accuracy: last('accuracy'), seconds };
  }
}

/** results.json of a fine-tuning, what is read of it. The last evaluation counts: the best would be picked on dev. */
interface TrialsFile {
  readonly trials: readonly {
    readonly seconds: number;
    readonly points: readonly { readonly measures: { readonly values: Readonly<Record<string, number>> } }[];
  }[];
}

/** Lines of corpora that are texts of dev, word for word: learnt by heart, they would flatter the arms that read them. */
async function leaks(corpora: readonly string[], dev: readonly SequenceExample[]): Promise<number> {
  const plain = (text: string): string => text.toLowerCase().replace(/[\s\p{P}]+/gu, '');
  const wanted = new Set(dev.map(({ text }) => plain(text)).filter((text) => text !== ''));
  const met = new Set<string>();
  for await (const { lines } of readDocuments(corpora)) {
    for (const line of lines) if (wanted.has(plain(line))) met.add(plain(line));
  }
  return dev.filter(({ text }) => met.has(plain(text))).length;
}

/**
 * General pre-training, domain-adaptive, task-adaptive, fine-tuning: what does each bring? The task is learnt from weights
 * at random, from the general model, and from what adaptation makes of it, with several seeds. What was done in an earlier
 * sitting is not done again.
 * @param folder for all of it
 * @throws every error of data, training and folder
 */
export async function fourSteps(
  folder: string,
  plan: FourStepsPlan,
  tokenizer: Tokenizer,
  around: FourStepsAround,
): Promise<FourStepsResults> {
  await disk.makeFolder(folder);
  const request = { columns: plan.columns, multiLabel: false };
  const kind = sequenceKind('classify');
  const [train, dev] = [await kind.read(plan.train, request), await kind.read(plan.dev, request)];
  const labels = kind.learn(train.examples, false)?.labels ?? [];
  const leaked = await leaks([...plan.general, ...plan.domain], dev.examples);
  const work = new Experiment(folder, plan, tokenizer, around);
  const task = { task: plan.train, kind: 'classify', columns: plan.columns } as const;
  const domain = { corpus: plan.domain, column: 'text' };
  await work.pretrain();
  await work.adapt('longer', 'general', { corpus: plan.general, column: 'text' }, plan.steps.domain);
  await work.adapt('dapt', 'general', domain, plan.steps.domain);
  await work.adapt('tapt', 'general', task, plan.steps.task);
  await work.adapt('dapt+tapt', 'dapt', task, plan.steps.task);
  const losses: Partial<Record<Arm, MaskedLosses>> = {};
  for (const arm of ARMS) if (arm !== 'random') losses[arm] = await work.losses(arm);
  const arms: ArmResult[] = [];
  for (const limit of plan.limits) for (const arm of ARMS) arms.push(await work.finetune(arm, limit));
  const results: FourStepsResults = {
    plan,
    labels,
    dev: dev.examples.length,
    losses,
    arms,
    baselines: plan.limits.flatMap((limit) => {
      return baselinesOf(drawn(train.examples, limit).taken, dev.examples, labels, limit);
    }),
    claims: claimsOf(arms),
    leaked,
    seconds: work.seconds,
  };
  await writeFileAtomic(work.paths.results, `${JSON.stringify(results, null, 1)}\n`);
  return results;
}
