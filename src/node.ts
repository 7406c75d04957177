/** The public API in Node: all that runs anywhere, and files. */
export * from './index.js';
export { readSafetensors, type TensorData, writeSafetensors } from './io/safetensors.js';
export { type LoadedModel, loadModel } from './train/model-folder.js';
