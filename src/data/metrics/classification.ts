/** Precision, recall and F1 of one class, or of an average over classes. */
export interface Scores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface ClassScores extends Scores {
  readonly label: string;
  /** True items of the class. */
  readonly support: number;
}

/** What a classifier got right, as scikit-learn computes it; a ratio with nothing below the line is 0. */
export interface ClassificationReport {
  readonly accuracy: number;
  readonly micro: Scores;
  /** Mean over the classes that occur among truths or guesses. */
  readonly macro: Scores;
  /** Mean over classes, by support. */
  readonly weighted: Scores;
  /** Matthews correlation; 0 when all truths, or all guesses, are one class. */
  readonly mcc: number;
  readonly perClass: readonly ClassScores[];
  /** [true class][guessed class] */
  readonly confusion: readonly (readonly number[])[];
}

const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);

/** @param right hits @param guessed hits and false alarms @param support hits and misses */
function scores(right: number, guessed: number, support: number): Scores {
  const [precision, recall] = [ratio(right, guessed), ratio(right, support)];
  return { precision, recall, f1: ratio(2 * right, guessed + support) };
}

function mean(rows: readonly Scores[], weights: readonly number[]): Scores {
  const total = weights.reduce((sum, w) => sum + w, 0);
  const of = (key: keyof Scores): number =>
    ratio(
      rows.reduce((sum, row, i) => sum + row[key] * weights[i], 0),
      total,
    );
  return { precision: of('precision'), recall: of('recall'), f1: of('f1') };
}

/** The multi-class form of Matthews correlation (Gorodkin 2004), as scikit-learn's matthews_corrcoef. */
function matthews(confusion: readonly (readonly number[])[]): number {
  const truths = confusion.map((row) => row.reduce((sum, n) => sum + n, 0));
  const guesses = confusion.map((_, j) => confusion.reduce((sum, row) => sum + row[j], 0));
  const total = truths.reduce((sum, n) => sum + n, 0);
  const right = confusion.reduce((sum, row, i) => sum + row[i], 0);
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, n, i) => sum + n * b[i], 0);
  const covariance = right * total - dot(truths, guesses);
  const below = Math.sqrt((total ** 2 - dot(guesses, guesses)) * (total ** 2 - dot(truths, truths)));
  return ratio(covariance, below);
}

/**
 * One class for each item.
 * @param truths, guesses ids of labels, as many of one as of the other
 */
export function classificationReport(
  truths: ArrayLike<number>,
  guesses: ArrayLike<number>,
  labels: readonly string[],
): ClassificationReport {
  const confusion = labels.map(() => labels.map(() => 0));
  for (let i = 0; i < truths.length; i++) confusion[truths[i]][guesses[i]]++;
  const support = confusion.map((row) => row.reduce((sum, n) => sum + n, 0));
  const guessed = labels.map((_, j) => confusion.reduce((sum, row) => sum + row[j], 0));
  const rows = labels.map((label, i) => ({
    label,
    ...scores(confusion[i][i], guessed[i], support[i]),
    support: support[i],
  }));
  const right = confusion.reduce((sum, row, i) => sum + row[i], 0);
  const seen = rows.map((_, i) => (support[i] + guessed[i] > 0 ? 1 : 0));
  return {
    accuracy: ratio(right, truths.length),
    micro: scores(right, truths.length, truths.length),
    macro: mean(rows, seen),
    weighted: mean(rows, support),
    mcc: matthews(confusion),
    perClass: rows,
    confusion,
  };
}

/** Several labels for each item, each there or not. */
export interface MultiLabelReport {
  /** Share of items whose set of labels is exactly right. */
  readonly exactMatch: number;
  readonly micro: Scores;
  readonly macro: Scores;
  readonly perClass: readonly ClassScores[];
}

/** @param truths, guesses [items][labels] */
export function multiLabelReport(
  truths: readonly (readonly boolean[])[],
  guesses: readonly (readonly boolean[])[],
  labels: readonly string[],
): MultiLabelReport {
  const counts = labels.map((_, j) => {
    const count = (pick: (truth: boolean, guess: boolean) => boolean): number =>
      truths.reduce((sum, row, i) => sum + (pick(row[j], guesses[i][j]) ? 1 : 0), 0);
    return { right: count((t, g) => t && g), guessed: count((_t, g) => g), support: count((t) => t) };
  });
  const rows = counts.map(({ right, guessed, support }, j) => {
    return { label: labels[j], ...scores(right, guessed, support), support };
  });
  const sum = (key: 'right' | 'guessed' | 'support'): number => counts.reduce((total, c) => total + c[key], 0);
  const exact = truths.filter((row, i) => row.every((truth, j) => truth === guesses[i][j])).length;
  return {
    exactMatch: ratio(exact, truths.length),
    micro: scores(sum('right'), sum('guessed'), sum('support')),
    macro: mean(
      rows,
      rows.map(() => 1),
    ),
    perClass: rows,
  };
}
