/** The public API that runs anywhere; `node.ts` adds files. Users import nothing else. */
export { noGrad } from './autograd/apply.js';
export { type GradcheckOptions, type GradcheckReport, gradcheck } from './autograd/gradcheck.js';
export { scope } from './autograd/scope.js';
export { backward } from './autograd/tape.js';
export type { Backend, Precision, ProductSize } from './backend/backend.js';
export type { GpuOptions } from './backend/gpu/index.js';
export { createGpuBackend, createWebGlBackend } from './backend/gpu/open.js';
export type { WebGlOptions } from './backend/gpu/webgl/index.js';
export { createJsBackend } from './backend/js/index.js';
export {
  type BackendName,
  type Choice,
  defaultBackend,
  defaultChoice,
  openBackend,
  openDefault,
  selectBackend,
  useBackend,
} from './backend/select.js';
export {
  type AnyBert,
  type Architecture,
  architectureNames,
  buildModel,
  type ModelOf,
  modelToJson,
  parseArchitecture,
} from './bert/architectures.js';
export { type BertConfig, configToJson, type PresetName, parseConfig, preset, presetNames } from './bert/config.js';
export { NO_LABEL } from './bert/heads/losses.js';
export { BertForMaskedLM } from './bert/heads/masked-lm.js';
export { BertForMultipleChoice, type ChoiceTargets } from './bert/heads/multiple-choice.js';
export { BertForNextSentencePrediction } from './bert/heads/next-sentence-prediction.js';
export { BertForQuestionAnswering, type SpanTargets } from './bert/heads/question-answering.js';
export { SENTENCE_LABELS, type SentenceTask } from './bert/heads/sentence.js';
export { BertForSequenceClassification, type SequenceTargets } from './bert/heads/sequence-classification.js';
export { BertForTokenClassification, type TokenTargets } from './bert/heads/token-classification.js';
export { hookNames } from './bert/hooks.js';
export { type BertInput, type PaddedBatch, packedInput, packedPositions, paddedInput } from './bert/input.js';
export { type LabelConfig, labelsToJson, type ProblemType, parseLabels } from './bert/labels.js';
export { BertModel, type Encoded, type Hidden } from './bert/model.js';
export { transformersName } from './bert/names.js';
export {
  BertForPreTraining,
  type PretrainingLoss,
  type PretrainingOutput,
  type PretrainingTargets,
} from './bert/pretraining.js';
export { productsOf } from './bert/products.js';
export type { DType, TypedData } from './core/dtype.js';
export * from './core/errors.js';
export { type RandomKey, Rng } from './core/random.js';
export type { Shape } from './core/shape.js';
export type { TokenCorpus } from './core/token-corpus.js';
export type { PretrainBatch } from './data/batch.js';
export { type PretrainDataOptions, PretrainDataset } from './data/dataset.js';
export { type AnswerRules, answerReport, compareAnswer } from './data/metrics/answers.js';
export { classificationReport, multiLabelReport } from './data/metrics/classification.js';
export { pearson, spearman } from './data/metrics/correlation.js';
export { entitiesOf, entityReport } from './data/metrics/entities.js';
export { corpusFromText, type TextCorpusOptions } from './data/text-corpus.js';
export { Tokenizer, type TokenizerOptions } from './data/tokenizer.js';
export { parseTokenizerConfig, tokenizerConfigJson } from './data/tokenizer-config.js';
export { Vocab } from './data/vocab.js';
export { type TrainOptions, type TrainResult, trainWordPiece } from './data/wordpiece-train.js';
export { Embedding } from './nn/embedding.js';
export { Initializer } from './nn/init.js';
export { LayerNorm } from './nn/layer-norm.js';
export { Linear } from './nn/linear.js';
export { Module } from './nn/module.js';
export { type Hook, inference, type Pass, trainingPass } from './nn/pass.js';
export { usePrecision } from './nn/precision.js';
export { OPS } from './ops/index.js';
export type { Op, OpDoc, Sample } from './ops/op.js';
export { arange, full, type Nested, ones, tensor, zeros } from './tensor/create.js';
export { format } from './tensor/print.js';
export { type Operand, Tensor } from './tensor/tensor.js';
export { fillMask, type Guess } from './train/fill-mask.js';
export { flopsPerStep } from './train/flops.js';
export { AdamW, type AdamWForm, type AdamWOptions } from './train/optimizer.js';
export { learningRate, type Schedule, type ScheduleName } from './train/schedule.js';
export { type StepOutcome, Trainer, type TrainerOptions, type TrainingData } from './train/trainer.js';
