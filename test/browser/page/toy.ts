// A small BERT, pre-trained from a text in memory with the public API alone: in a page, and in Node to compare with.
type Library = typeof import('../../../src/index.js');
type Backend = import('../../../src/index.js').Backend;
type Trainer = import('../../../src/index.js').Trainer;

export const TOY = {
  characters: 8000,
  steps: 50,
  vocab: 160,
  batch: 4,
  maxSeq: 24,
  hidden: 32,
  layers: 2,
  heads: 2,
  peak: 4e-3,
} as const;

/** @param text sentences a line, blank lines between documents */
export function toyTrainer(library: Library, text: string, backend: Backend): Trainer {
  const { BertForPreTraining, PretrainDataset, Tokenizer, Trainer, corpusFromText, parseConfig, trainWordPiece } =
    library;
  library.useBackend(backend);
  const cased = { lowercase: true };
  const { vocab } = trainWordPiece(text.split('\n'), { size: TOY.vocab, ...cased });
  const corpus = corpusFromText(text, new Tokenizer(vocab, cased));
  const data = new PretrainDataset(corpus, {
    vocab,
    seed: 3,
    batch: TOY.batch,
    maxSeq: TOY.maxSeq,
    sentenceTask: 'nsp',
    heldOut: 0,
  });
  const config = parseConfig({
    vocab_size: vocab.size,
    hidden_size: TOY.hidden,
    num_hidden_layers: TOY.layers,
    num_attention_heads: TOY.heads,
    intermediate_size: 2 * TOY.hidden,
    max_position_embeddings: TOY.maxSeq,
  });
  return new Trainer(new BertForPreTraining(config, { seed: 1 }), data, {
    seed: 5,
    packing: 'packed',
    accumulate: 1,
    schedule: { name: 'linear', peak: TOY.peak, warmupSteps: 5, totalSteps: TOY.steps },
    adamw: {},
  });
}

/** Losses of each step. */
export interface ToyStep {
  readonly mlm: number;
  readonly sentence: number;
}

export async function trainToy(
  trainer: Trainer,
  onStep: (step: ToyStep) => unknown = () => undefined,
): Promise<ToyStep[]> {
  const steps: ToyStep[] = [];
  for (let i = 0; i < TOY.steps; i++) {
    const { mlmLoss, sentenceLoss } = await trainer.step();
    steps.push({ mlm: mlmLoss, sentence: sentenceLoss });
    await onStep(steps[i]);
  }
  trainer.dispose();
  return steps;
}
