import type { HeadModel } from '../bert/heads/head-model.js';
import { DataError } from '../core/errors.js';
import { type Entity, entitiesOf } from '../data/metrics/entities.js';

/** Tasks, and what reads models. */
const files = () => import('./files.js');

/** A fine-tuned model that answers; `dispose` gives its memory back. */
export abstract class Predictor<Input, Output> {
  protected constructor(
    private readonly parts: { readonly model: HeadModel<unknown>; readonly labels: readonly string[] },
  ) {}

  /** Names of the model's labels, in the order of its outputs; none where answers are places in a text. */
  get labels(): readonly string[] {
    return this.parts.labels;
  }

  /** Answers in the order of the inputs. Inputs of like length are computed together, whatever their order. */
  abstract predictAll(inputs: readonly Input[]): Promise<Output[]>;

  async predict(input: Input): Promise<Output> {
    const [output] = await this.predictAll([input]);
    return output;
  }

  dispose(): void {
    this.parts.model.dispose();
  }
}

/** A text, or a pair of texts. */
export type TextInput = string | readonly [text: string, pair: string];

const example = (input: TextInput, line: number) => {
  const [text, pair] = typeof input === 'string' ? [input, null] : input;
  return { line, text, pair, labels: null, value: null };
};

export interface Classification {
  /** The likeliest label. */
  readonly label: string;
  readonly score: number;
  /** All that are likelier than not, where several may hold at once. */
  readonly labels: readonly string[];
  /** Probability of each label. */
  readonly scores: Readonly<Record<string, number>>;
}

/** Classes of texts or pairs: `const c = await Classifier.load('runs/sentiment'); (await c.predict('fine')).label`. */
export class Classifier extends Predictor<TextInput, Classification> {
  private constructor(private readonly loaded: Awaited<ReturnType<typeof Classifier.open>>) {
    super(loaded);
  }

  private static async open(path: string) {
    const { openAs, sequenceKind } = await files();
    return openAs(path, (kind) => (kind === 'classify' || kind === 'pair' ? sequenceKind(kind) : null));
  }

  /** @throws {InputError}, {CheckpointError}, {ConfigError} no such model, or one for something else */
  static async load(path: string): Promise<Classifier> {
    return new Classifier(await Classifier.open(path));
  }

  async predictAll(inputs: readonly TextInput[]): Promise<Classification[]> {
    const { answer } = await files();
    const { model, task } = this.loaded;
    const answers = await answer(model, task, inputs.map(example));
    return answers.map(({ labels, scores }) => {
      const best = scores.indexOf(Math.max(...scores));
      const named = Object.fromEntries(this.labels.map((label, i) => [label, scores[i]]));
      return { label: this.labels[best], score: scores[best], labels, scores: named };
    });
  }
}

/** Numbers for texts or pairs: how alike two sentences are, how many stars. */
export class Regressor extends Predictor<TextInput, number> {
  private constructor(private readonly loaded: Awaited<ReturnType<typeof Regressor.open>>) {
    super(loaded);
  }

  private static async open(path: string) {
    const { openAs, sequenceKind } = await files();
    return openAs(path, (kind) => (kind === 'regress' ? sequenceKind(kind) : null));
  }

  /** @throws {InputError}, {CheckpointError}, {ConfigError} no such model, or one for something else */
  static async load(path: string): Promise<Regressor> {
    return new Regressor(await Regressor.open(path));
  }

  async predictAll(inputs: readonly TextInput[]): Promise<number[]> {
    const { answer } = await files();
    const { model, task } = this.loaded;
    return (await answer(model, task, inputs.map(example))).map(({ scores }) => scores[0]);
  }
}

export interface Tagging {
  readonly words: readonly string[];
  /** As many as words. */
  readonly tags: readonly string[];
  /** Words start .. end - 1; none where the tags are not of entities. */
  readonly entities: readonly Entity[];
}

/** Tags of words; a text is cut into the words that the tokenizer sees. */
export class Tagger extends Predictor<string | readonly string[], Tagging> {
  private constructor(private readonly loaded: Awaited<ReturnType<typeof Tagger.open>>) {
    super(loaded);
  }

  private static async open(path: string) {
    const { openAs, tagKind } = await files();
    return openAs(path, (kind) => (kind === 'tag' ? tagKind : null));
  }

  /** @throws {InputError}, {CheckpointError}, {ConfigError} no such model, or one for something else */
  static async load(path: string): Promise<Tagger> {
    return new Tagger(await Tagger.open(path));
  }

  async predictAll(inputs: readonly (string | readonly string[])[]): Promise<Tagging[]> {
    const { answer, wordsOf } = await files();
    const { model, task } = this.loaded;
    const split = (input: string | readonly string[]): readonly string[] =>
      typeof input === 'string' ? wordsOf(input, task.tokenizer) : input;
    const examples = inputs.map((input, line) => ({ line, words: split(input), tags: null }));
    const answers = await answer(model, task, examples);
    const entities = this.labels.every((label) => /^(O|[BIES]-.+)$/.test(label));
    return answers.map(({ tags }, i) => {
      return { words: examples[i].words, tags, entities: entities ? entitiesOf(tags) : [] };
    });
  }
}

export interface Question {
  readonly question: string;
  readonly context: string;
}

export interface FoundAnswer {
  /** "" where the text holds no answer. */
  readonly text: string;
  /** UTF-16 range in the context. */
  readonly start: number;
  readonly end: number;
  readonly score: number;
}

/** Answers that stand in a text, however long. */
export class Reader extends Predictor<Question, FoundAnswer> {
  private constructor(private readonly loaded: Awaited<ReturnType<typeof Reader.open>>) {
    super(loaded);
  }

  private static async open(path: string) {
    const { openAs, qaKind } = await files();
    return openAs(path, (kind) => (kind === 'qa' ? qaKind : null));
  }

  /** @throws {InputError}, {CheckpointError}, {ConfigError} no such model, or one for something else */
  static async load(path: string): Promise<Reader> {
    return new Reader(await Reader.open(path));
  }

  async predictAll(inputs: readonly Question[]): Promise<FoundAnswer[]> {
    const { answer } = await files();
    const { model, task } = this.loaded;
    const examples = inputs.map((input, line) => ({ ...input, line, id: `${line}`, answers: [] }));
    const answers = await answer(model, task, examples);
    return answers.map(({ text, start, end, score }) => ({ text, start, end, score }));
  }
}

export interface ChoiceQuestion {
  readonly question: string;
  readonly choices: readonly string[];
}

export interface Choice {
  /** Index of the choice. */
  readonly choice: number;
  readonly text: string;
  readonly scores: readonly number[];
}

/** Which of several texts goes with a question. */
export class Chooser extends Predictor<ChoiceQuestion, Choice> {
  private constructor(private readonly loaded: Awaited<ReturnType<typeof Chooser.open>>) {
    super(loaded);
  }

  private static async open(path: string) {
    const { openAs, choiceKind } = await files();
    return openAs(path, (kind) => (kind === 'choice' ? choiceKind : null));
  }

  /** @throws {InputError}, {CheckpointError}, {ConfigError} no such model, or one for something else */
  static async load(path: string): Promise<Chooser> {
    return new Chooser(await Chooser.open(path));
  }

  /** @throws {DataError} a question without choices */
  async predictAll(inputs: readonly ChoiceQuestion[]): Promise<Choice[]> {
    const { answer } = await files();
    const { model, task } = this.loaded;
    if (inputs.some(({ choices }) => choices.length === 0)) {
      throw new DataError('a question has no choices', { code: 'DATA-TASK', fix: 'give each at least one' });
    }
    const answers = await answer(
      model,
      task,
      inputs.map((input, line) => ({ ...input, line, answer: null })),
    );
    return answers.map(({ choice, scores }, i) => ({ choice, text: inputs[i].choices[choice], scores }));
  }
}
