import { join } from 'node:path';
import { CheckpointError, InputError } from '../core/errors.js';
import { readJsonFile } from './files.js';
import { isObject } from './json.js';
import { readSafetensors, type Safetensors, type StoredTensor } from './safetensors.js';
import { readTensorflowCheckpoint } from './tf-checkpoint.js';
import { readTorchFile } from './torch-file.js';

/** All weights of a model, whatever files they are in. */
export interface StoredWeights {
  readonly weights: ReadonlyMap<string, StoredTensor>;
  /** Tensors that cannot be held, and why. */
  readonly skipped: ReadonlyMap<string, string>;
  /** Where they were found, for messages. */
  readonly weightsFile: string;
  /** Whose names the tensors have. */
  readonly naming: 'transformers' | 'google';
}

/** A form that weights are stored in: one file, or an index that names several. */
interface Form {
  readonly whole: string;
  readonly index: string;
  /** Names an index may give: files of its own folder, and of this form. */
  readonly part: RegExp;
  read(path: string): Promise<Safetensors>;
}

const FORMS: readonly Form[] = [
  {
    whole: 'model.safetensors',
    index: 'model.safetensors.index.json',
    part: /^[\w-][\w.-]*\.safetensors$/,
    read: readSafetensors,
  },
  {
    whole: 'pytorch_model.bin',
    index: 'pytorch_model.bin.index.json',
    part: /^[\w-][\w.-]*\.bin$/,
    read: readTorchFile,
  },
];
const CONVERT = 'in Python: AutoModel.from_pretrained(folder).save_pretrained(folder, safe_serialization=True)';

/** @throws {InputError} always: what is missing, and what is there instead */
export function missing(folder: string, name: string, names: readonly string[]): never {
  const strange = names.find((n) => /\.(pt|pth|h5|msgpack|onnx|ot)$/.test(n));
  if (name === FORMS[0].whole && strange !== undefined) {
    throw new CheckpointError(`${folder}: the weights are in ${strange}, which is not read here`, {
      code: 'MODEL-FORMAT',
      where: join(folder, strange),
      fix: CONVERT,
    });
  }
  const shown = names.slice(0, 8).join(', ');
  throw new InputError(`${folder}: ${name} is missing`, {
    code: 'MODEL-MISSING',
    where: `the folder holds ${shown === '' ? 'nothing' : shown}${names.length > 8 ? ', ...' : ''}`,
    fix: 'name a run, a checkpoint, or a folder with config.json, vocab.txt and model.safetensors',
  });
}

/** What an index says: which tensor is in which file. Nothing outside its folder. */
async function readIndex(folder: string, { index, part }: Form): Promise<Map<string, string>> {
  const path = join(folder, index);
  const { weight_map: map } = await readJsonFile(path, CheckpointError);
  const pairs = isObject(map) ? Object.entries(map) : [];
  const odd = pairs.length === 0 ? null : pairs.find(([, file]) => !part.test(String(file)));
  if (odd === undefined) return new Map(pairs.map(([name, file]) => [name, String(file)]));
  const what = odd === null ? 'has no weight_map' : `names ${JSON.stringify(odd[1])}, which is no file of this folder`;
  throw new CheckpointError(`${path}: ${what}`, { code: 'MODEL-INDEX', where: path, fix: 'fetch the model again' });
}

function checkFinite(path: string, tensors: ReadonlyMap<string, StoredTensor>): void {
  for (const [name, { data }] of tensors) {
    const at = data instanceof Float32Array ? data.findIndex((x) => !Number.isFinite(x)) : -1;
    if (at < 0) continue;
    throw new CheckpointError(`${path}: "${name}" holds ${data[at]} at element ${at}`, {
      code: 'MODEL-NOT-FINITE',
      where: path,
      fix: 'the training that made it broke; use an earlier checkpoint',
    });
  }
}

/** Reads the files that an index names; each tensor must be where it says. */
async function readParts(folder: string, form: Form, names: readonly string[]): Promise<Safetensors> {
  const map = await readIndex(folder, form);
  const tensors = new Map<string, StoredTensor>();
  const skipped = new Map<string, string>();
  for (const file of new Set(map.values())) {
    if (!names.includes(file)) missing(folder, file, names);
    const found = await form.read(join(folder, file));
    for (const [name, reason] of found.skipped) skipped.set(name, reason);
    for (const [name, tensor] of found.tensors) {
      const stated = map.get(name);
      if (stated !== undefined && stated !== file) continue; // a copy in another part is not the one that counts
      tensors.set(name, tensor);
    }
  }
  const absent = [...map].find(([name]) => !tensors.has(name) && !skipped.has(name));
  if (absent === undefined) return { tensors, skipped, metadata: {} };
  const path = join(folder, form.index);
  throw new CheckpointError(`${path}: "${absent[0]}" is not in ${absent[1]}`, {
    code: 'MODEL-INDEX',
    where: path,
    fix: 'fetch the model again',
  });
}

/**
 * The weights of a folder: safetensors before pickles before a checkpoint of TensorFlow, in one file or several.
 * @param names what the folder holds
 * @throws {InputError} none there; {CheckpointError} damaged, not finite, or in another form
 */
export async function readWeights(folder: string, names: readonly string[]): Promise<StoredWeights> {
  const table = names.find((name) => name.endsWith('.ckpt.index'));
  const form = FORMS.find(({ whole, index }) => names.includes(whole) || names.includes(index));
  if (form === undefined && table === undefined) return missing(folder, FORMS[0].whole, names);
  const whole = form === undefined ? (table as string) : names.includes(form.whole) ? form.whole : form.index;
  const weightsFile = join(folder, whole);
  let found: Safetensors;
  if (form === undefined) found = await readTensorflowCheckpoint(weightsFile);
  else found = whole === form.whole ? await form.read(weightsFile) : await readParts(folder, form, names);
  checkFinite(weightsFile, found.tensors);
  const naming = form === undefined ? 'google' : 'transformers';
  return { weights: found.tensors, skipped: found.skipped, weightsFile, naming };
}
