/** The public API in Node: all that runs anywhere, and files. */
export * from './index.js';
export { hubModel } from './io/hub.js';
export { type HubName, type HubSettings, hubSettings, parseHubName } from './io/hub-settings.js';
export { type OnnxModel, onnxChunks } from './io/onnx.js';
export { writeFolder } from './io/output-folder.js';
export { readSafetensors, type TensorData, writeSafetensors } from './io/safetensors.js';
export { type LoadedAny, loadAny, modelFiles } from './train/any-model.js';
export { type HeadOptions, type LoadedModel, loadHead, loadModel } from './train/model-folder.js';
export { onnxModel } from './train/onnx/export.js';
export {
  type Choice as ChosenText,
  type ChoiceQuestion,
  Chooser,
  type Classification,
  Classifier,
  type FoundAnswer,
  type Question,
  Reader,
  Regressor,
  Tagger,
  type Tagging,
  type TextInput,
} from './train/predictors.js';
export { type Match, searchTexts } from './train/search.js';
export { type Embedding as TextEmbedding, type EmbedOptions, TextEmbedder } from './train/text-embedder.js';
export type { WeightReport } from './train/weights.js';
