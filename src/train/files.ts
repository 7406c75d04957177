/**
 * What reads and writes files, and what is made of them: one part of the library, which a program loads with its first
 * call for a file and not before.
 */
export { hubModel } from '../io/hub.js';
export { writeFolder } from '../io/output-folder.js';
export { readSafetensors, writeSafetensors } from '../io/safetensors.js';
export { readSentenceModules } from '../io/sentence-modules.js';
export { loadAny, modelFiles } from './any-model.js';
export { loadHead, loadModel, loadModelAs } from './model-folder.js';
export { openAs } from './tasks/folder.js';
export { answer } from './tasks/infer.js';
export { choiceKind, qaKind, sequenceKind, tagKind, wordsOf } from './tasks/kinds.js';
