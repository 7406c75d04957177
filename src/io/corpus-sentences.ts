/** Cuts paragraphs of languages with full stops into sentences. */
export interface EnglishSplitter {
  /** Which one it is, for the record of a prepared corpus. */
  readonly name: string;
  split(paragraph: string): string[];
}

/**
 * sentencex, which knows abbreviations; where it has no binary for this machine, the rules of the ICU library that Node
 * brings along, which cut after "Dr.".
 */
export async function englishSplitter(): Promise<EnglishSplitter> {
  try {
    const { segment } = await import('sentencex');
    return { name: 'sentencex', split: (paragraph) => segment('en', paragraph) };
  } catch {
    const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });
    const split = (paragraph: string): string[] => Array.from(segmenter.segment(paragraph), ({ segment }) => segment);
    return { name: 'Intl.Segmenter, for sentencex has no binary for this machine', split };
  }
}
