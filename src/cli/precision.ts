import { type Command, Option } from 'commander';
import type { Precision } from '../backend/backend.js';
import { slowerNote } from '../backend/precision.js';
import type { Module } from '../nn/module.js';
import { usePrecision } from '../nn/precision.js';
import { formatMessage } from './errors.js';

/** What a user may say about the numbers that products multiply. */
export interface PrecisionFlags {
  readonly precision: Precision;
}

/** The option of every command that runs a model which is trained. */
export function addPrecisionOption(command: Command): Command {
  return command.addOption(
    new Option('--precision <name>', 'of products: bf16 is faster, int8 the fastest; both where the CPU has them')
      .choices(['f32', 'bf16', 'int8'])
      .default('f32'),
  );
}

/** Of products while training. */
export const trainingPrecision = (): Option =>
  new Option('--precision <name>', 'of products: bf16 is faster where the CPU has it; weights stay f32')
    .choices(['f32', 'bf16'])
    .default('f32');

/**
 * Prepares a model that is loaded for inference, and tells when the precision asked for gains nothing here.
 * @throws {BackendError} this backend has no such products
 */
export function prepareFor(model: Module, { precision }: PrecisionFlags): void {
  usePrecision(model, precision, { frozen: true });
  const [parameter] = model.parameters();
  const note = parameter === undefined ? null : slowerNote(parameter.backend, precision);
  if (note !== null) process.stderr.write(formatMessage('warning', 'BACKEND-PRECISION', note));
}
