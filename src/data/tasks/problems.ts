import { DataError } from '../../core/errors.js';

/**
 * What can be wrong with a row, and what is done about it. `bad` rows cannot be used: reading fails, or leaves them out
 * when it is told to skip. `note`d rows are used as the text says.
 */
const KINDS = {
  columns: { bad: true, what: 'too few columns' },
  record: { bad: true, what: 'a value of another type than expected' },
  label: { bad: true, what: 'a label that the model does not know' },
  unlabelled: { bad: true, what: 'no label' },
  value: { bad: true, what: 'a target that is no finite number' },
  tags: { bad: true, what: 'words and tags that do not go together' },
  answer: { bad: true, what: 'an answer that does not stand in its text' },
  choice: { bad: true, what: 'choices, or an answer among them, that do not make sense' },
  empty: { bad: false, what: 'an empty text; kept, read as [CLS] [SEP]' },
  scheme: { bad: false, what: 'a tag inside an entity that nothing began; it is taken as a beginning' },
  moved: { bad: false, what: 'an answer that stands elsewhere in its text than said; the nearest place is taken' },
  lost: {
    bad: false,
    what: 'one of several answers does not stand in its text; it counts as right, and is not learnt from',
  },
  long: { bad: false, what: 'a text longer than the model reads at once' },
} as const;

export type ProblemKind = keyof typeof KINDS;

/** All of one kind, for people and for JSON. */
export interface ProblemCount {
  readonly kind: ProblemKind;
  readonly count: number;
  readonly what: string;
  /** Where the first few stand: `train.tsv:7`. */
  readonly first: readonly string[];
  /** Whether these rows are left out. */
  readonly skipped: boolean;
}

/** Places that are named of each kind. */
const NAMED = 5;

/** Collects what is wrong with the rows of a file. */
export class Problems {
  /** Rows looked at. */
  rows = 0;
  readonly #found = new Map<ProblemKind, { count: number; first: string[]; detail: string }>();

  constructor(readonly source: string) {}

  /** @param place a line, or a text such as `question 7 (id Q7)` @param detail what was found, for the first one */
  add(kind: ProblemKind, place: number | string, detail = ''): void {
    const known = this.#found.get(kind) ?? { count: 0, first: [], detail };
    known.count++;
    if (known.first.length < NAMED) {
      known.first.push(typeof place === 'number' ? `${this.source}:${place}` : `${this.source}, ${place}`);
    }
    this.#found.set(kind, known);
  }

  counts(): ProblemCount[] {
    return Array.from(this.#found, ([kind, { count, first, detail }]) => {
      const { what, bad } = KINDS[kind];
      return { kind, count, what: detail === '' ? what : `${what}: ${detail}`, first, skipped: bad };
    });
  }

  /**
   * Ends the reading of a file.
   * @param skip leaves bad rows out instead of failing
   * @throws {DataError} DATA-TASK: there are bad rows; all kinds at once, each with its first places
   */
  settle(skip: boolean): void {
    const bad = this.counts().filter(({ skipped }) => skipped);
    if (skip || bad.length === 0) return;
    const count = bad.reduce((sum, kind) => sum + kind.count, 0);
    const kinds = bad.map(({ what, count: n, first }) => `${what} (${n}, the first at ${first[0]})`);
    throw new DataError(`${this.source}: ${count} of ${this.rows} rows cannot be used: ${kinds.join('; ')}`, {
      code: 'DATA-TASK',
      where: bad
        .flatMap(({ first }) => first)
        .slice(0, NAMED)
        .join(', '),
      fix: 'correct them, or leave them out with --skip-bad',
    });
  }
}
