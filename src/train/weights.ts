import { DECODER, isBuffer, OTHER_NAME, todaysName, transformersName, WORD_TABLE } from '../bert/names.js';
import { CheckpointError } from '../core/errors.js';
import { numel, sameShape } from '../core/shape.js';
import type { TensorData } from '../io/safetensors.js';
import type { Initializer } from '../nn/init.js';
import type { Module } from '../nn/module.js';
import type { Tensor } from '../tensor/tensor.js';

/** What did not match between a model and the file that its weights came from; transformers' names. */
export interface WeightReport {
  /** Parameters that the file has nothing for. They keep their initial values. */
  readonly missing: readonly string[];
  /** Tensors of the file that the model has no place for. */
  readonly unused: readonly string[];
}

export interface WeightOptions {
  /** Parameters that may be missing, by transformers' name; default: none. */
  readonly optional?: (name: string) => boolean;
  /** Draws the initial values of those that are missing. */
  readonly init?: Initializer;
}

const BIAS = 'cls.predictions.bias';

/** Reads all weights back, under transformers' names. */
export async function weightsOf(model: Module): Promise<Map<string, TensorData>> {
  const weights = new Map<string, TensorData>();
  for (const [name, parameter] of model.namedParameters()) {
    const data = Float32Array.from(await parameter.data());
    weights.set(transformersName(name), { shape: parameter.shape, data });
  }
  const bias = weights.get(BIAS);
  if (weights.has(DECODER) && bias !== undefined) weights.set(OTHER_NAME[BIAS], bias);
  return weights;
}

/** Tensors under today's names. @throws {CheckpointError} two become one */
function renamed(weights: ReadonlyMap<string, TensorData>, where: string): Map<string, TensorData> {
  const found = new Map<string, TensorData>();
  for (const [stored, tensor] of weights) {
    const name = todaysName(stored);
    if (found.has(name)) {
      throw new CheckpointError(`"${stored}" is a second tensor for "${name}"`, {
        code: 'CHECKPOINT-TENSORS',
        where,
        fix: 'the file mixes two namings; save the model again',
      });
    }
    found.set(name, tensor);
  }
  return found;
}

function assign(parameter: Tensor, data: TensorData['data']): void {
  if (parameter.dtype === 'f64') parameter.assign(Float64Array.from(data));
  else parameter.assign(data instanceof Float32Array ? data : Float32Array.from(data));
}

/** Why a stored tensor cannot become this parameter, or null. */
function misfit(name: string, stored: TensorData, { shape }: Tensor): string | null {
  if (sameShape(stored.shape, shape) && numel(shape) === stored.data.length) return null;
  return `"${name}" is [${stored.shape.join(', ')}] instead of [${shape.join(', ')}]`;
}

/** A tied decoder repeats the word table; one that differs is not used, as in transformers, and is told of. */
function isRepeated(found: ReadonlyMap<string, TensorData>): boolean {
  const [table, decoder] = [found.get(WORD_TABLE)?.data, found.get(DECODER)?.data];
  if (table === undefined || decoder === undefined || table.length !== decoder.length) return false;
  for (let i = 0; i < table.length; i++) if (table[i] !== decoder[i]) return false;
  return true;
}

/**
 * The tensor for a parameter, under either of its names. An untied decoder has a bias of its own, and that one counts:
 * transformers writes both and adds the decoder's.
 */
function storedFor(name: string, found: ReadonlyMap<string, TensorData>, untied: boolean): TensorData | undefined {
  const other = OTHER_NAME[name];
  if (other === undefined) return found.get(name);
  if (!untied) return found.get(name) ?? found.get(other);
  return name === WORD_TABLE ? found.get(name) : (found.get(other) ?? found.get(name));
}

/** Names of the file that were read, or that say nothing new. */
function usedNames(found: ReadonlyMap<string, TensorData>, wanted: ReadonlySet<string>): Set<string> {
  const used = new Set(wanted);
  for (const name of wanted) {
    const other = OTHER_NAME[name];
    if (other !== undefined && other !== DECODER) used.add(other);
  }
  if (!found.has(WORD_TABLE) || isRepeated(found)) used.add(DECODER);
  for (const name of found.keys()) if (isBuffer(name)) used.add(name);
  return used;
}

/**
 * Writes stored weights into a model, whatever year their names are of.
 * @param where the file, for messages
 * @throws {CheckpointError} tensors missing that are not optional, or of another shape, all of them named
 */
export function setWeights(
  model: Module,
  weights: ReadonlyMap<string, TensorData>,
  where: string,
  { optional = () => false, init }: WeightOptions = {},
): WeightReport {
  const found = renamed(weights, where);
  const parameters = new Map(
    Array.from(model.namedParameters(), ([name, parameter]): [string, Tensor] => [transformersName(name), parameter]),
  );
  const [faults, missing]: [string[], string[]] = [[], []];
  for (const [name, parameter] of parameters) {
    const stored = storedFor(name, found, parameters.has(DECODER));
    const fault = stored === undefined ? `"${name}" is missing` : misfit(name, stored, parameter);
    if (stored === undefined && optional(name)) {
      missing.push(name);
      init?.draw(parameter);
    } else if (fault !== null) faults.push(fault);
    else if (stored !== undefined) assign(parameter, stored.data);
  }
  if (faults.length > 0) refuse(faults, where);
  const used = usedNames(found, new Set(parameters.keys()));
  return { missing, unused: [...found.keys()].filter((name) => !used.has(name)) };
}

function refuse(faults: readonly string[], where: string): never {
  const more = faults.length > 5 ? `; and ${faults.length - 5} more` : '';
  throw new CheckpointError(`the weights do not fit the model: ${faults.slice(0, 5).join('; ')}${more}`, {
    code: 'CHECKPOINT-TENSORS',
    where,
    fix: 'config.json and the weights must stem from one model, with the heads that this command needs',
  });
}
