/** What a text is made of, for a model that does not look at order: words and pairs of neighbours, or characters. */
export function bagOf(text: string): string[] {
  const lower = text.toLowerCase();
  const units = lower.match(/\p{Script=Han}|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];
  return [...units, ...units.slice(1).map((unit, i) => `${units[i]} ${unit}`)];
}

/**
 * Multinomial naive Bayes with one count added to all (Manning et al. 2008, Introduction to Information Retrieval, sec.
 * 13.2): what words alone tell of a class. A fine-tuned model that does not beat it has not earned its encoder.
 */
export class NaiveBayes {
  readonly #classes = new Map<string, { examples: number; units: number; counts: Map<string, number> }>();
  readonly #units = new Set<string>();
  #examples = 0;

  learn(text: string, label: string): void {
    const of = this.#classes.get(label) ?? { examples: 0, units: 0, counts: new Map<string, number>() };
    this.#classes.set(label, of);
    of.examples++;
    this.#examples++;
    for (const unit of bagOf(text)) {
      of.counts.set(unit, (of.counts.get(unit) ?? 0) + 1);
      of.units++;
      this.#units.add(unit);
    }
  }

  /** The likeliest class; units that were never met say nothing. */
  guess(text: string): string {
    const units = bagOf(text).filter((unit) => this.#units.has(unit));
    let [best, most] = ['', Number.NEGATIVE_INFINITY];
    for (const [label, { examples, units: total, counts }] of this.#classes) {
      const below = Math.log(total + this.#units.size);
      const score = units.reduce(
        (sum, unit) => sum + Math.log((counts.get(unit) ?? 0) + 1) - below,
        Math.log(examples / this.#examples),
      );
      if (score > most) [best, most] = [label, score];
    }
    return best;
  }
}
