/**
 * Every error a user can cause. A message has three parts: what is wrong, where, and what to do about it.
 * Each class carries the exit code that the command line ends with (sysexits.h where it has one).
 */
export class BertgradError extends Error {
  /** Exit code of the command line: 65 bad data, 66 no input, 69 unavailable, 73/74 output, 78 configuration. */
  readonly exitCode: number = 70;
  /** Stable name of this very mistake, listed in docs/errors.md: `DATA-ENCODING`. */
  readonly code: string | undefined;
  readonly where: string | undefined;
  readonly fix: string | undefined;

  constructor(what: string, parts: ErrorParts = {}) {
    super(what, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = new.target.name;
    this.code = parts.code;
    this.where = parts.where;
    this.fix = parts.fix;
  }
}

/** The parts of a message besides what is wrong. */
export interface ErrorParts {
  readonly code?: string;
  /** File, line, byte, tensor, option: as the user knows it. */
  readonly where?: string;
  /** What to do about it. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/** Shapes that do not fit an op: `matmul: inner sizes must match; got [2, 3] and [4, 5]`. */
export class ShapeError extends BertgradError {
  constructor(op: string, rule: string, shapes: readonly (readonly number[])[] = []) {
    const got = shapes.map((s) => `[${s.join(', ')}]`).join(' and ');
    super(`${op}: ${rule}${got === '' ? '' : `; got ${got}`}`);
  }
}

/** Element types that do not fit an op or a backend. */
export class DtypeError extends BertgradError {}

/** A backend that is absent, refused, or used wrongly (a freed buffer, two backends in one op). */
export class BackendError extends BertgradError {
  override readonly exitCode = 69;
}

/** A configuration that cannot work: unknown key, sizes that do not divide, contradicting options. */
export class ConfigError extends BertgradError {
  override readonly exitCode = 78;
}

/** A checkpoint or model file that is damaged or does not belong here. */
export class CheckpointError extends BertgradError {
  override readonly exitCode = 65;
}

/** Bad input data: encoding, format, an empty corpus, labels out of range. */
export class DataError extends BertgradError {
  override readonly exitCode: number = 65;
}

/** An input that is missing or cannot be read. */
export class InputError extends DataError {
  override readonly exitCode = 66;
}

/** An output that cannot be created (73): it exists, is in use, or the folder is read-only. */
export class OutputError extends BertgradError {
  override readonly exitCode: number = 73;
}

/** Input or output that failed under way (74): a full disk, a device error. */
export class IoError extends BertgradError {
  override readonly exitCode = 74;
}

/** The numbers broke: NaN or infinity that training could not recover from. */
export class NumericError extends BertgradError {
  override readonly exitCode = 70;
}

/** The command line was used wrongly (2). */
export class UsageError extends BertgradError {
  override readonly exitCode = 2;
}
