import type { Scores } from './classification.js';

/** Words start .. end - 1 of a sentence that are one thing. */
export interface Entity {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Entities of a sentence in the lenient reading of seqeval's default mode (and of conlleval): one begins at B or S, at I
 * or E after O, and at a change of type; it ends before the next beginning, at O, and after E or S.
 */
export function entitiesOf(tags: readonly string[]): Entity[] {
  const found: Entity[] = [];
  let open: { type: string; start: number } | null = null;
  const close = (end: number): void => {
    if (open !== null) found.push({ ...open, end });
    open = null;
  };
  for (const [i, tag] of tags.entries()) {
    const [letter, type] = [tag[0], tag.slice(2)];
    const before = tags[i - 1] ?? 'O';
    if (tag === 'O') {
      close(i);
      continue;
    }
    const afterEnd = before === 'O' || before[0] === 'E' || before[0] === 'S';
    if (letter === 'B' || letter === 'S' || afterEnd || before.slice(2) !== type) {
      close(i);
      open = { type, start: i };
    }
  }
  close(tags.length);
  return found;
}

/** Entities in the strict reading of BIO (seqeval's IOB2): from a B over the Is of its type; other Is belong to none. */
export function strictBio(tags: readonly string[]): Entity[] {
  const found: Entity[] = [];
  for (let i = 0; i < tags.length; i++) {
    if (tags[i][0] !== 'B') continue;
    const type = tags[i].slice(2);
    let end = i + 1;
    while (end < tags.length && tags[end] === `I-${type}`) end++;
    found.push({ type, start: i, end });
  }
  return found;
}

/** Entities in the strict reading of BIOES: S alone, or B, any number of I, and E, all of one type. */
export function strictBioes(tags: readonly string[]): Entity[] {
  const found: Entity[] = [];
  for (let i = 0; i < tags.length; i++) {
    const type = tags[i].slice(2);
    if (tags[i][0] === 'S') found.push({ type, start: i, end: i + 1 });
    if (tags[i][0] !== 'B') continue;
    let end = i + 1;
    while (end < tags.length && tags[end] === `I-${type}`) end++;
    if (tags[end] === `E-${type}`) found.push({ type, start: i, end: end + 1 });
  }
  return found;
}

export interface EntityReport extends Scores {
  readonly perType: readonly (Scores & { readonly type: string; readonly support: number })[];
  readonly macro: Scores;
  readonly support: number;
}

const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);
const scoresOf = (right: number, guessed: number, support: number): Scores => {
  const [precision, recall] = [ratio(right, guessed), ratio(right, support)];
  return { precision, recall, f1: ratio(2 * precision * recall, precision + recall) };
};

const key = ({ type, start, end }: Entity): string => `${start} ${end} ${type}`;

/**
 * Precision, recall and F1 over whole entities: place and type must be right. Micro average, as conlleval prints it.
 * @param read how tags become entities
 */
export function entityReport(
  truths: readonly (readonly string[])[],
  guesses: readonly (readonly string[])[],
  read: (tags: readonly string[]) => Entity[] = entitiesOf,
): EntityReport {
  const counts = new Map<string, { right: number; guessed: number; support: number }>();
  const of = (type: string): { right: number; guessed: number; support: number } => {
    const known = counts.get(type) ?? { right: 0, guessed: 0, support: 0 };
    counts.set(type, known);
    return known;
  };
  for (const [i, tags] of truths.entries()) {
    const [wanted, got] = [read(tags), read(guesses[i])];
    const there = new Set(wanted.map(key));
    for (const { type } of wanted) of(type).support++;
    for (const entity of got) {
      of(entity.type).guessed++;
      if (there.has(key(entity))) of(entity.type).right++;
    }
  }
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const sum = (k: 'right' | 'guessed' | 'support'): number => rows.reduce((total, [, c]) => total + c[k], 0);
  const perType = rows.map(([type, c]) => ({ type, ...scoresOf(c.right, c.guessed, c.support), support: c.support }));
  const average = (k: keyof Scores): number =>
    ratio(
      perType.reduce((total, row) => total + row[k], 0),
      perType.length,
    );
  return {
    ...scoresOf(sum('right'), sum('guessed'), sum('support')),
    perType,
    macro: { precision: average('precision'), recall: average('recall'), f1: average('f1') },
    support: sum('support'),
  };
}
