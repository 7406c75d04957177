import type { Tokenizer } from '../data/tokenizer.js';
import { CARD_SEQ, type Prepared } from '../train/prepare.js';
import { bytes as bytesText, pad, percent } from './ui.js';

/** What else a card tells. */
export interface About {
  readonly folder: string;
  readonly tokenizer: Tokenizer;
  readonly seconds: number;
}

const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
const shareText = (x: number): string => (x === 0 ? '0 %' : x < 0.0005 ? '< 0.1 %' : percent(x));

/** The figures as lines under names. */
export function cardText(prepared: Prepared, { folder, tokenizer: { vocab, lowercase }, seconds }: About): string {
  const { card, bytes, shards, sentenceTask, cutDocuments, splitter } = prepared;
  const { floors } = card;
  const held = card.heldOutDocuments > 0 ? `, ${card.heldOutDocuments} of them held back for evaluation` : '';
  const cut = cutDocuments > 0 ? `lines cut by ${splitter}` : 'one a line';
  const pairs = `${percent(1 - card.label1Share)} follow, ${percent(card.label1Share)} do not; `;
  const speed = `${bytesText(bytes)} in ${seconds.toFixed(1)} s (${bytesText(bytes / seconds)}/s)`;
  const rows: readonly (readonly [string, string])[] = [
    ['documents', `${card.documents}${held}`],
    ['sentences', `${card.sentences}, ${cut}; ${shareText(card.duplicateLineShare)} stood there before`],
    [
      'tokens',
      `${card.tokens}, ${(card.tokens / card.sentences).toFixed(1)} a sentence; ${shareText(card.unkShare)} [UNK]`,
    ],
    ['vocabulary', `${vocab.size} tokens, ${lowercase ? 'uncased' : 'cased'}, SHA-256 ${vocab.hash.slice(0, 12)}`],
    [`length ${CARD_SEQ}`, `${sentenceTask === 'nsp' ? `pairs: ${pairs}` : ''}${shareText(card.paddingShare)} padding`],
    ['to beat', `${floors.unigram.toFixed(2)} nats by word frequency, ${floors.bigram.toFixed(2)} by the word before`],
    [
      '',
      `(${floors.uniform.toFixed(2)} knowing nothing; accuracy ${floors.mostFrequentShare.toFixed(3)} by one guess)`,
    ],
    ['written', `${folder}: ${plural(shards.info.shards.length, 'shard')} from ${speed}`],
  ];
  return rows.map(([name, what]) => `${pad(name, 12)}${what}\n`).join('');
}

/** The same for programs. */
export function cardJson(prepared: Prepared, { folder, tokenizer: { vocab, lowercase }, seconds }: About): string {
  const { card, bytes, shards, sentenceTask, cutDocuments, splitter, beyondShare } = prepared;
  const { unigramCounts: _, ...figures } = card;
  return JSON.stringify({
    folder,
    hash: shards.hash,
    vocab: { size: vocab.size, sha256: vocab.hash, lowercase },
    ...figures,
    sentenceTask,
    maxSeq: CARD_SEQ,
    beyondShare,
    cutDocuments,
    splitter: cutDocuments > 0 ? splitter : null,
    shards: shards.info.shards.length,
    bytes,
    seconds,
  });
}

/** What may spoil a training, and what helps. */
export interface Warning {
  readonly code: string;
  readonly what: string;
  readonly fix: string;
}

interface Found extends Prepared {
  readonly cased: boolean;
  /** Share of the vocabulary that begins with a capital letter. */
  readonly upper: number;
}

const UPPER = /^(?:##)?[A-Z]/;

/** Each looks at one thing: whether it was found, and what to say then. */
const CHECKS: readonly { code: string; found(f: Found): boolean; what(f: Found): string; fix: string }[] = [
  {
    code: 'DATA-UNK',
    found: ({ card }) => card.unkShare > 0.02,
    what: ({ card }) => `${percent(card.unkShare)} of the tokens are [UNK], which a model can neither read nor write`,
    fix: 'train a vocabulary on this corpus: bertgrad vocab',
  },
  {
    code: 'DATA-CASE',
    found: ({ cased, upper }) => !cased && upper > 0.05,
    what: ({ upper }) =>
      `${percent(upper)} of the vocabulary begins with a capital letter and never occurs, for the text is lower-cased`,
    fix: 'if it is a cased vocabulary, add --cased',
  },
  {
    code: 'DATA-REPEATED',
    found: ({ card }) => card.duplicateLineShare > 0.1,
    what: ({ card }) =>
      `${percent(card.duplicateLineShare)} of the sentences stood there before; they will be learnt by heart`,
    fix: "remove them: awk '!NF || !seen[$0]++' corpus.txt",
  },
  {
    code: 'DATA-LONG',
    found: ({ beyondShare }) => beyondShare > 0.05,
    what: ({ beyondShare }) =>
      `${percent(beyondShare)} of the tokens stand in sentences too long for a sequence of ${CARD_SEQ}, and may be cut off`,
    fix: 'cut paragraphs into sentences: --sentences split',
  },
  {
    code: 'DATA-ONE-DOCUMENT',
    found: ({ sentenceTask }) => sentenceTask === 'none',
    what: () => 'there is one document only, and next sentence prediction needs two',
    fix: 'set blank lines between documents, or train with --no-nsp or --sop',
  },
  {
    code: 'DATA-BALANCE',
    found: ({ sentenceTask, card }) => sentenceTask === 'nsp' && Math.abs(card.label1Share - 0.5) > 0.15, // google's own rule gives 55 to 60 %
    what: ({ card }) =>
      `${percent(card.label1Share)} of the pairs get a random second part, for many documents have a single sentence`,
    fix: 'join short documents, cut paragraphs (--sentences split), or train with --no-nsp',
  },
  {
    code: 'DATA-HELD-OUT',
    found: ({ card }) => card.heldOutNote !== null,
    what: ({ card }) => card.heldOutNote ?? '',
    fix: 'a training without held-back text cannot tell learning from learning by heart',
  },
];

/** Looks at the figures before hours are spent on them. */
export function warnings(prepared: Prepared, { vocab, lowercase }: Tokenizer): Warning[] {
  const upper = vocab.tokens.filter((token) => UPPER.test(token)).length / vocab.size;
  const all = { ...prepared, cased: !lowercase, upper };
  return CHECKS.filter(({ found }) => found(all)).map(({ code, what, fix }) => ({ code, what: what(all), fix }));
}
