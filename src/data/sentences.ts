/** Cuts a paragraph into sentences, trimmed, none of them blank. */
export type SentenceSplitter = (paragraph: string) => string[];

/** Whose rules end a sentence: full stops and abbreviations, or 。！？. */
export type Language = 'en' | 'zh' | 'auto';

/** How lines become sentences: a sentence a line, paragraphs to cut, or whatever each document looks like. */
export type SentenceMode = 'auto' | 'lines' | 'split';

const HAN = /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]/g;

/**
 * The end of a Chinese sentence: marks, closing quotes and brackets, and no comma after them, which carries the sentence
 * on: “好！”，他说。 An ellipsis ends one as well.
 */
const CHINESE_END = /[。！？!?…]+[”’」』）)】》〉"']*(?![，、；：,;:”’」』）)】》〉])/g;

/** Sentences of a Chinese paragraph. */
export function splitChinese(paragraph: string): string[] {
  const sentences: string[] = [];
  let from = 0;
  for (const { 0: end, index } of paragraph.matchAll(CHINESE_END)) {
    sentences.push(paragraph.slice(from, index + end.length));
    from = index + end.length;
  }
  sentences.push(paragraph.slice(from));
  return trimmed(sentences);
}

/** Chinese when a tenth of the characters are ideographs: in Chinese text it is over half, in English one in a thousand. */
const isChinese = (text: string): boolean => (text.match(HAN)?.length ?? 0) * 10 > text.length;

const trimmed = (parts: readonly string[]): string[] => parts.map((part) => part.trim()).filter((part) => part !== '');

/** @param english cuts text with full stops */
export function sentenceSplitter(language: Language, english: (paragraph: string) => string[]): SentenceSplitter {
  return (paragraph) => {
    const chinese = language === 'auto' ? isChinese(paragraph) : language === 'zh';
    return chinese ? splitChinese(paragraph) : trimmed(english(paragraph));
  };
}

/** Share of lines with more than one sentence from which on a document is taken to consist of paragraphs. */
const PARAGRAPHS = 1 / 3;

/**
 * The sentences of a document. With `auto`, lines are cut when more than a third of them hold several sentences: text that
 * has a sentence a line is left as it is, for every splitter errs now and then.
 * @returns the sentences, and whether lines were cut
 */
export function documentSentences(
  lines: readonly string[],
  mode: SentenceMode,
  split: SentenceSplitter,
): { readonly sentences: readonly string[]; readonly cut: boolean } {
  if (mode === 'lines') return { sentences: lines, cut: false };
  const parts = lines.map(split);
  const several = parts.filter((sentences) => sentences.length > 1).length;
  const cut = several > 0 && (mode === 'split' || several > PARAGRAPHS * lines.length);
  return { sentences: cut ? parts.flat() : lines, cut };
}
