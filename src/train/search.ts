import { cosine } from './pool.js';
import type { TextEmbedder } from './text-embedder.js';

/** A text that is like the one asked for. */
export interface Match<T> {
  readonly item: T;
  /** Cosine of the angle between both vectors, -1 to 1. */
  readonly score: number;
}

/** The best so far, best first; equal ones in the order they came. */
class Best<T> {
  readonly found: Match<T>[] = [];
  constructor(private readonly most: number) {}

  offer(match: Match<T>): void {
    const { found } = this;
    if (found.length === this.most && match.score <= (found.at(-1) as Match<T>).score) return;
    let at = found.length;
    while (at > 0 && found[at - 1].score < match.score) at--;
    found.splice(at, 0, match);
    if (found.length > this.most) found.pop();
  }
}

/**
 * The texts of a stream that are most like a query, by the cosine of their vectors. A window of texts is in memory.
 * @param stored gives the vector of an item that has one already; null: it is computed from `textOf(item)`
 */
export async function searchTexts<T>(
  embedder: TextEmbedder,
  query: string,
  items: AsyncIterable<T> | Iterable<T>,
  {
    top,
    textOf,
    stored = () => null,
  }: { top: number; textOf(item: T): string; stored?(item: T): ArrayLike<number> | null },
): Promise<Match<T>[]> {
  const [{ vector }] = await embedder.embed([query]);
  const best = new Best<T>(top);
  async function* unknown(): AsyncGenerator<T> {
    for await (const item of items) {
      const known = stored(item);
      if (known === null) yield item;
      else best.offer({ item, score: cosine(vector, known) });
    }
  }
  for await (const [item, embedding] of embedder.stream(unknown(), textOf))
    best.offer({ item, score: cosine(vector, embedding.vector) });
  return best.found;
}
