/** The public API in Node: all that runs anywhere, and files. */
export * from './index.js';
export { type HubName, type HubSettings, hubSettings, parseHubName } from './io/hub-settings.js';
export { type OnnxModel, onnxChunks } from './io/onnx.js';
export type { TensorData } from './io/safetensors.js';
export type { LoadedAny } from './train/any-model.js';
export type { HeadOptions, LoadedModel } from './train/model-folder.js';
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

type Files = typeof import('./train/files.js');

/** A function of `train/files.ts`: the module is loaded by the first call, so that it costs programs without files nothing. */
function onCall<F extends (...args: never[]) => Promise<unknown>>(pick: (files: Files) => F): F {
  const call = async (...args: Parameters<F>): Promise<unknown> => pick(await import('./train/files.js'))(...args);
  return call as F;
}

/** Fetches a model of the Hugging Face hub into the cache that its own libraries use. @returns its folder */
export const hubModel = onCall((files) => files.hubModel);
/** Opens a folder as the model that it says it is, in whatever form it is stored. */
export const loadAny = onCall((files) => files.loadAny);
/** Opens a model folder as a model with the head named, whatever head it was saved with. */
export const loadHead = onCall((files) => files.loadHead);
/** Opens a model folder, a checkpoint, or the best checkpoint of a run, for masked words. */
export const loadModel = onCall((files) => files.loadModel);
/** All files of a model folder in Hugging Face's layout, by name. */
export const modelFiles = onCall((files) => files.modelFiles);
/** Reads a file of tensors, each into memory of its own. */
export const readSafetensors = onCall((files) => files.readSafetensors);
/** Writes files into a folder of their own. */
export const writeFolder = onCall((files) => files.writeFolder);
/** Writes float32 and int32 tensors in the order given. */
export const writeSafetensors = onCall((files) => files.writeSafetensors);
