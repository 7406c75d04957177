import { parseConfig } from '../bert/config.js';
import { transformersName } from '../bert/names.js';
import { BertForPreTraining } from '../bert/pretraining.js';
import { CheckpointError, ConfigError } from '../core/errors.js';
import { numel, sameShape } from '../core/shape.js';
import { Tokenizer } from '../data/tokenizer.js';
import { parseTokenizerConfig } from '../data/tokenizer-config.js';
import { Vocab } from '../data/vocab.js';
import { loadModelFolder } from '../io/model-folder.js';
import type { TensorData } from '../io/safetensors.js';

/** A model ready to be used, and what reads its texts. */
export interface LoadedModel {
  /** Where it was found: of a run, the checkpoint that was taken. */
  readonly folder: string;
  readonly model: BertForPreTraining;
  readonly tokenizer: Tokenizer;
}

/**
 * Opens a model folder, a checkpoint, or the best checkpoint of a run.
 * @throws {InputError} nothing there; {CheckpointError} damaged, or tensors missing; {ConfigError} not such a BERT
 */
export async function loadModel(path: string): Promise<LoadedModel> {
  const files = await loadModelFolder(path);
  const tokenizer = makeTokenizer(files.vocab, files.tokenizerConfig ?? {}, files.folder);
  const config = parseConfig(files.config, `${files.folder}/config.json`);
  requireRoom(tokenizer.vocab, config.vocabSize, files.folder);
  const model = new BertForPreTraining(config);
  setWeights(model, files.weights, files.folder);
  return { folder: files.folder, model, tokenizer };
}

/** The tokenizer of a folder's vocab.txt and tokenizer_config.json. */
export function makeTokenizer(vocab: string, config: object, folder: string): Tokenizer {
  const options = parseTokenizerConfig(config, `${folder}/tokenizer_config.json`);
  return new Tokenizer(Vocab.parse(vocab, `${folder}/vocab.txt`), options);
}

/** @throws {ConfigError} ids that the word table has no row for */
export function requireRoom(vocab: Vocab, rows: number, where: string): void {
  if (vocab.size <= rows) return;
  throw new ConfigError(`the vocabulary has ${vocab.size} tokens, the model's vocab_size is ${rows}`, {
    code: 'CONFIG-VOCAB-SIZE',
    where,
    fix: `set vocab_size to ${vocab.size}, or take the vocabulary the model was made with`,
  });
}

/** Reads all weights back, under transformers' names. */
export async function weightsOf(model: BertForPreTraining): Promise<Map<string, TensorData>> {
  const weights = new Map<string, TensorData>();
  for (const [name, parameter] of model.namedParameters()) {
    const data = Float32Array.from(await parameter.data());
    weights.set(transformersName(name), { shape: parameter.shape, data });
  }
  return weights;
}

/**
 * Writes stored weights into a model.
 * @throws {CheckpointError} tensors missing or of another shape, all of them named
 */
export function setWeights(model: BertForPreTraining, weights: ReadonlyMap<string, TensorData>, where: string): void {
  const faults: string[] = [];
  for (const [name, parameter] of model.namedParameters()) {
    const stored = weights.get(transformersName(name));
    if (stored === undefined) faults.push(`"${transformersName(name)}" is missing`);
    else if (!sameShape(stored.shape, parameter.shape) || numel(stored.shape) !== stored.data.length) {
      const [found, wanted] = [stored.shape, parameter.shape].map((shape) => `[${shape.join(', ')}]`);
      faults.push(`"${transformersName(name)}" is ${found} instead of ${wanted}`);
    } else parameter.assign(parameter.dtype === 'f64' ? Float64Array.from(stored.data) : stored.data);
  }
  if (faults.length === 0) return;
  const more = faults.length > 5 ? `; and ${faults.length - 5} more` : '';
  throw new CheckpointError(`the weights do not fit the model: ${faults.slice(0, 5).join('; ')}${more}`, {
    code: 'CHECKPOINT-TENSORS',
    where: `${where}/model.safetensors`,
    fix: 'config.json and model.safetensors must stem from one model with both pre-training heads',
  });
}
