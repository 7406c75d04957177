import { Rng, STREAM } from '../core/random.js';
import type { TokenCorpus } from '../core/token-corpus.js';
import { Layout, type PassKey } from './layout.js';

/** Marks the draws of a whole pass; a document's number is below. */
const WHOLE_PASS = 2 ** 32 - 1;

/** Fills sequences with whole sentences, across documents. */
class Packer {
  readonly out = new Layout();
  /** The open piece. */
  #start = 0;
  #length = 0;
  /** Tokens of the open sequence, its special ones included, without the open piece and its [SEP]. */
  #used = 1;

  /** @param limit tokens of the sequence that is open, [CLS] and [SEP]s included */
  constructor(
    private limit: number,
    private readonly maxSeq: number,
  ) {}

  /** Adds tokens that follow one another in the corpus. A sentence that no sequence could hold is cut. */
  sentence(start: number, length: number): void {
    let [from, left] = [start, length];
    while (left > this.room()) {
      if (this.#used > 1 || this.#length > 0) this.endSequence();
      const part = Math.min(left, this.room());
      this.add(from, part);
      from += part;
      left -= part;
    }
    if (left > 0) this.add(from, left);
  }

  endDocument(): void {
    if (this.#length === 0) return;
    this.out.piece(this.#start, this.#length);
    this.#used += this.#length + 1;
    this.#length = 0;
  }

  endSequence(): void {
    this.endDocument();
    if (this.#used === 1) return;
    this.out.close(-1);
    this.#used = 1;
    this.limit = this.maxSeq;
  }

  /** Tokens that still fit into the open piece, whose [SEP] is counted. */
  private room(): number {
    return this.limit - this.#used - this.#length - 1;
  }

  private add(start: number, length: number): void {
    if (this.#length === 0) this.#start = start;
    this.#length += length;
  }
}

/**
 * Sequences without a sentence task: whole sentences one after the other up to `maxSeq`, on into the next document, with
 * a [SEP] between documents (RoBERTa, Liu et al. 2019, sec. 4.2, FULL-SENTENCES). Documents come in a new order each
 * pass, and the first sequence is of random length, so that even one document is cut elsewhere each time.
 */
export function layoutPacked(corpus: TokenCorpus, documents: Uint32Array, key: PassKey, maxSeq: number): Layout {
  const { sentenceStarts, documentStarts } = corpus;
  const rng = new Rng(key.seed, STREAM.pairs, key.pass, WHOLE_PASS);
  const packer = new Packer(3 + rng.int(maxSeq - 2), maxSeq);
  for (const document of rng.shuffle(documents.slice())) {
    for (let s = documentStarts[document]; s < documentStarts[document + 1]; s++) {
      packer.sentence(sentenceStarts[s], sentenceStarts[s + 1] - sentenceStarts[s]);
    }
    packer.endDocument();
  }
  packer.endSequence();
  return packer.out;
}
