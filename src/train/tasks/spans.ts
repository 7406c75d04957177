import { softmax } from './task.js';

/** An answer and how it compares with others. */
export interface QaAnswer {
  /** "" for none. */
  readonly text: string;
  /** UTF-16 range in the context. */
  readonly start: number;
  readonly end: number;
  /** Its share among the best answers. */
  readonly score: number;
  /** Score of no answer minus that of the best one, in logits: what a threshold is compared with. */
  readonly nullMargin: number;
  readonly best: readonly { readonly text: string; readonly score: number }[];
}

/** What a model says of one window of a context. */
export interface WindowScores {
  /** [tokens] */
  readonly starts: Float32Array;
  readonly ends: Float32Array;
  /** [3 * tokens]: where the token's text begins and ends, and 1 where its context is largest here; -1: not of the text. */
  readonly source: Int32Array;
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly logit: number;
}

/** Starts and ends that are looked at, and answers that are shown (run_squad.py: n_best_size). */
const N_BEST = 20;
const SHOWN = 5;

/** Indices of the largest values; the earlier of equals first. */
function largest(values: Float32Array, count: number): number[] {
  const order = Array.from(values.keys());
  return order.sort((a, b) => values[b] - values[a] || a - b).slice(0, count);
}

function spansOf({ starts, ends, source }: WindowScores, maxAnswer: number): Span[] {
  const lasts = largest(ends, N_BEST);
  return largest(starts, N_BEST).flatMap((first) => {
    if ((source[3 * first] ?? -1) < 0 || source[3 * first + 2] !== 1) return [];
    return lasts.flatMap((last) => {
      if (last < first || last - first + 1 > maxAnswer || source[3 * last] < 0) return [];
      return { start: source[3 * first], end: source[3 * last + 1], logit: starts[first] + ends[last] };
    });
  });
}

/**
 * The best answer over all windows of a context (run_squad.py:738-924): the best starts and ends, an end not before its
 * start, not too long, the start where its context is largest. "No answer" scores as [CLS] does, in the window where that
 * is least. With no span at all the answer is "", where google's script fails.
 */
export function bestSpans(
  context: string,
  windows: readonly WindowScores[],
  options: { readonly nullable: boolean; readonly nullThreshold: number; readonly maxAnswer: number },
): QaAnswer {
  const spans = windows.flatMap((window) => spansOf(window, options.maxAnswer));
  spans.sort((a, b) => b.logit - a.logit || a.start - b.start);
  const seen = new Set<string>();
  const distinct = spans.filter(({ start, end }) => {
    const text = context.slice(start, end);
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
  const kept = distinct.slice(0, N_BEST);
  const nullLogit = Math.min(...windows.map(({ starts, ends }) => starts[0] + ends[0]));
  const candidates = kept.map(({ start, end, logit }) => ({ text: context.slice(start, end), start, end, logit }));
  if (options.nullable || kept.length === 0) candidates.push({ text: '', start: 0, end: 0, logit: nullLogit });
  const shares = softmax(candidates.map(({ logit }) => logit));
  const scored = candidates.map((candidate, i) => ({ ...candidate, score: shares[i] }));
  const nullMargin = nullLogit - (kept[0]?.logit ?? nullLogit);
  const none = kept.length === 0 || (options.nullable && nullMargin > options.nullThreshold);
  const chosen = none ? scored[scored.length - 1] : scored[0];
  const best = [...scored].sort((a, b) => b.score - a.score).slice(0, SHOWN);
  const { text, start, end, score } = chosen;
  return { text, start, end, score, nullMargin, best: best.map((c) => ({ text: c.text, score: c.score })) };
}
