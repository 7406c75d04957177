/** Measures of one training step, named as google-research/bert logs them; a line of metrics.jsonl. */
export interface StepMetrics {
  readonly step: number;
  /** Tokens seen so far, padding not counted. */
  readonly tokens: number;
  readonly loss: number;
  readonly masked_lm_loss: number;
  readonly masked_lm_accuracy: number;
  /** Null while no sentence pairs are asked for. */
  readonly next_sentence_loss: number | null;
  readonly next_sentence_accuracy: number | null;
  readonly lr: number;
  /** Global norm before clipping. */
  readonly grad_norm: number;
  readonly tokens_per_second: number;
  /** Share of the machine's measured FMA peak; null when no peak was measured. */
  readonly mfu: number | null;
  /** Seconds since the run began, earlier sessions of a resumed run included. */
  readonly seconds: number;
  readonly rss_mb: number;
}

/** Measures on held-back documents with fixed masks; a line of metrics.jsonl with `eval: true`. */
export interface EvalMetrics {
  readonly step: number;
  readonly eval: true;
  readonly eval_masked_lm_loss: number;
  readonly eval_masked_lm_accuracy: number;
  readonly eval_next_sentence_loss: number;
  readonly eval_next_sentence_accuracy: number;
}

/** What the model puts in the place of [MASK]; a line of samples.jsonl. */
export interface FillSample {
  readonly step: number;
  readonly text: string;
  /** Best first. */
  readonly predictions: readonly { readonly token: string; readonly probability: number }[];
}

/** Lines that a loss is measured against, in nats, and the accuracy of the most frequent token. */
export interface Floors {
  /** ln V: a model that knows nothing. */
  readonly uniform: number;
  /** Held-out cross-entropy of token frequencies: a model that ignores context. */
  readonly unigram: number;
  /** Held-out cross-entropy of an interpolated left-to-right bigram. */
  readonly bigram: number;
  readonly mostFrequentShare: number;
}

/** A sentence of the training doctor: what it sees, with the run's own numbers, and what to do. */
export interface Remark {
  readonly step: number;
  /** Stable name: 'pinned-at-unigram', 'nsp-at-chance', 'masks-never-hit', 'repeated-lines', 'unk-share', ... */
  readonly kind: string;
  readonly severity: 'info' | 'warning' | 'error';
  readonly text: string;
}

/** What a run knows before step 0. */
export interface RunStart {
  readonly folder: string;
  readonly backend: string;
  readonly resumedFrom: number | null;
  readonly totalSteps: number;
  readonly batch: number;
  readonly maxSeq: number;
  /** The run's first part on shorter sequences; null: none. */
  readonly firstPart: { readonly steps: number; readonly batch: number; readonly maxSeq: number } | null;
  readonly vocabSize: number;
  readonly parts: readonly { readonly part: string; readonly parameters: number; readonly share: number }[];
  readonly parameters: number;
  readonly tokensPerStep: number;
  readonly flopsPerStep: number;
  /** Expected peak bytes by owner. */
  readonly memory: readonly { readonly owner: string; readonly bytes: number }[];
  /** Measured FMA peak in GFLOP/s; null when it was not measured (js backend). */
  readonly peakGflops: number | null;
  readonly floors: Floors;
  readonly sentenceTask: 'nsp' | 'sop' | 'none';
  readonly data: {
    readonly documents: number;
    readonly heldOutDocuments: number;
    readonly sentences: number;
    readonly tokens: number;
    readonly unkShare: number;
    readonly duplicateLineShare: number;
    /** Share of pairs with label 1. */
    readonly label1Share: number;
    readonly paddingShare: number;
  };
  /** Decoded training rows, the masked places in brackets with what stood there. */
  readonly rows: readonly string[];
  readonly lossPositions: number;
  readonly positions: number;
}

/** How a run ended. */
export interface RunEnd {
  readonly step: number;
  readonly reason: 'done' | 'signal' | 'max-time';
  readonly seconds: number;
  readonly report: string | null;
  readonly checkpoint: string | null;
  readonly lastEval: EvalMetrics | null;
}

/** Whoever shows a run to a person. */
export interface Reporter {
  start(start: RunStart): void;
  step(metrics: StepMetrics, totalSteps: number): void;
  evaluated(metrics: EvalMetrics, floors: Floors): void;
  samples(samples: readonly FillSample[]): void;
  remark(remark: Remark): void;
  saved(folder: string): void;
  end(end: RunEnd): void;
}
