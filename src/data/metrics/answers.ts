/** How two answers are compared: as SQuAD's script does, or as that of CMRC 2018. */
export type AnswerRules = 'squad' | 'cmrc';

// string.punctuation of Python
const ASCII_PUNCTUATION = /[!-/:-@[-`{-~]/g;
// Python's \w. Not in literals: their sets of characters would be made when the library is loaded.
const WORD = '[\\p{L}\\p{N}_]';
/** Words of an answer, in the form in which they are compared (evaluate-v2.0.py: normalize_answer). */
export function squadWords(text: string): string[] {
  const bare = text.toLowerCase().replace(ASCII_PUNCTUATION, '');
  const words = bare.replace(new RegExp(`(?<!${WORD})(?:a|an|the)(?!${WORD})`, 'gu'), ' ');
  return words.split(/\s+/u).filter((word) => word !== '');
}

/** The marks that cmrc2018_evaluate.py leaves out. */
const CMRC_MARKS = new Set('-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』');
const withoutMarks = (text: string): string[] =>
  Array.from(text.toLowerCase().trim()).filter((c) => !CMRC_MARKS.has(c));

/** Where the Penn Treebank's rules set blanks, those that CMRC's marks leave something to do for (NLTK's tokenizer). */
const TREEBANK: readonly (readonly [pattern: RegExp | string, put: string])[] = [
  [/([«‘„])/g, ' $1 '],
  [/^"/g, '``'],
  [/([ ([{<])("|'{2})/g, '$1 `` '],
  [`(?<!${WORD})'(?!(?:re|ve|ll|m|t|s|d|n)(?!${WORD}))(?=${WORD})`, "' "],
  [/([^.])\.([\])}>"' »]*)\s*$/g, '$1 . $2 '],
  [/,(?=[^\d]|$)/g, ' , '],
  [/\.{2,}|[;@#$%&‒–—―?!]/g, ' $& '],
  [/([^'])' /g, "$1 ' "],
  [/[\][(){}<>]/g, ' $& '],
  [/^|$/g, ' '],
  [/»|''/g, ' $& '],
  [/"/g, " '' "],
  [/([^' ])('[smd]|') /g, '$1 $2 '],
  [/([^' ])('ll|'re|'ve|n't) /g, '$1 $2 '],
  [/\b(can(?=not\b)|gim(?=me\b)|lem(?=me\b)|gon(?=na\b)|got(?=ta\b)|wan(?=na\b))/g, ' $1 '],
];

function treebankWords(text: string): string[] {
  const asRegExp = (p: RegExp | string): RegExp => (typeof p === 'string' ? new RegExp(p, 'giu') : p);
  const spaced = TREEBANK.reduce((rest, [pattern, put]) => rest.replace(asRegExp(pattern), put), text);
  return spaced.split(/\s+/u).filter((word) => word !== '');
}

/** Segments of an answer: ideographs each by itself, what lies between as words (cmrc2018_evaluate.py:23-54). */
export function cmrcSegments(text: string): string[] {
  const segments: string[] = [];
  let rest = '';
  for (const c of withoutMarks(text)) {
    if (c < '\u4e00' || c > '\u9fa5') rest += c;
    else {
      segments.push(...treebankWords(rest), c);
      rest = '';
    }
  }
  return [...segments, ...treebankWords(rest)];
}

/** Length of the longest run of elements that both hold, side by side. */
function longestRun(a: readonly string[], b: readonly string[]): number {
  let best = 0;
  let row = new Int32Array(b.length + 1);
  for (const x of a) {
    const next = new Int32Array(b.length + 1);
    for (let j = 0; j < b.length; j++) {
      if (x === b[j]) next[j + 1] = row[j] + 1;
      if (next[j + 1] > best) best = next[j + 1];
    }
    row = next;
  }
  return best;
}

/** Elements that both hold, each as often as in the one that has fewer. */
function shared(a: readonly string[], b: readonly string[]): number {
  const left = new Map<string, number>();
  for (const x of b) left.set(x, (left.get(x) ?? 0) + 1);
  let count = 0;
  for (const x of a) {
    const n = left.get(x) ?? 0;
    if (n > 0) count++;
    left.set(x, n - 1);
  }
  return count;
}

function f1Of(common: number, guess: number, truth: number): number {
  if (common === 0) return 0;
  const [precision, recall] = [common / guess, common / truth];
  return (2 * precision * recall) / (precision + recall);
}

function squadF1(guess: string, truth: string): number {
  const [a, b] = [squadWords(guess), squadWords(truth)];
  if (a.length === 0 || b.length === 0) return a.length === b.length ? 1 : 0;
  return f1Of(shared(a, b), a.length, b.length);
}

function cmrcF1(guess: string, truth: string): number {
  const [a, b] = [cmrcSegments(guess), cmrcSegments(truth)];
  return f1Of(longestRun(a, b), a.length, b.length);
}

const cmrcBare = (text: string): string => withoutMarks(text).join('');

/** Exact match (0 or 1) and F1 of one guess, the best over the answers that are right; no answers: "" is right. */
export function compareAnswer(
  guess: string,
  truths: readonly string[],
  rules: AnswerRules,
): { readonly exact: number; readonly f1: number } {
  const told = rules === 'cmrc' ? truths : truths.filter((truth) => squadWords(truth).length > 0);
  const wanted = told.length === 0 ? [''] : told;
  if (rules === 'cmrc') {
    const exact = wanted.some((truth) => cmrcBare(truth) === cmrcBare(guess)) ? 1 : 0;
    return { exact, f1: truths.length === 0 ? exact : Math.max(...wanted.map((truth) => cmrcF1(guess, truth))) };
  }
  const bare = squadWords(guess).join(' ');
  return {
    exact: wanted.some((truth) => squadWords(truth).join(' ') === bare) ? 1 : 0,
    f1: Math.max(...wanted.map((truth) => squadF1(guess, truth))),
  };
}

export interface AnswerReport {
  readonly exact: number;
  readonly f1: number;
  readonly total: number;
  /** The same over questions that have an answer, and over those that have none; null where there are no such. */
  readonly hasAnswer: { readonly exact: number; readonly f1: number; readonly total: number } | null;
  readonly noAnswer: { readonly exact: number; readonly f1: number; readonly total: number } | null;
}

/** @param guesses texts, "" for no answer @param truths all answers of each question, none where the text does not tell */
export function answerReport(
  guesses: readonly string[],
  truths: readonly (readonly string[])[],
  rules: AnswerRules,
): AnswerReport {
  const rows = guesses.map((guess, i) => ({
    ...compareAnswer(guess, truths[i], rules),
    answered: truths[i].length > 0,
  }));
  const over = (part: typeof rows): { exact: number; f1: number; total: number } => ({
    exact: part.reduce((sum, row) => sum + row.exact, 0) / Math.max(1, part.length),
    f1: part.reduce((sum, row) => sum + row.f1, 0) / Math.max(1, part.length),
    total: part.length,
  });
  const [has, no] = [rows.filter((row) => row.answered), rows.filter((row) => !row.answered)];
  return { ...over(rows), hasAnswer: has.length > 0 ? over(has) : null, noAnswer: no.length > 0 ? over(no) : null };
}
