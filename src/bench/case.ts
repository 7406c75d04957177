import { preset, presetNames } from '../bert/config.js';
import { UsageError } from '../core/errors.js';
import { nearest } from '../core/suggest.js';
import { OPS } from '../ops/index.js';
import type { BertSizes, Op, Sample } from '../ops/op.js';

export type Direction = 'forward' | 'backward';

/** One thing to measure: an op at some sizes, one way. */
export interface BenchCase {
  readonly op: Op;
  readonly sample: Sample<object>;
  readonly sizes: readonly number[];
  /** Where the sizes are from: the name of a model, "odd", "sweep", "grid", "given". */
  readonly group: string;
  /** "feed-forward, in" */
  readonly where: string;
  readonly direction: Direction;
}

/** What a user asks for; absent lists: everything that is usual. */
export interface CaseOptions {
  readonly ops?: readonly string[];
  readonly models?: readonly string[];
  /** "512x768x768": sizes in the op's own order. */
  readonly shapes?: readonly string[];
  readonly directions?: readonly Direction[];
  /** "bert", "odd", "sweep", "grid". */
  readonly groups: readonly string[];
  /** Tokens of a batch: 512, or less on slow backends. */
  readonly batch: number;
  readonly seq: number;
}

/** Word table of the models that people know. */
export const VOCAB = 30522;
/** Share of places to predict, 20 of 128 in google's own runs (create_pretraining_data.py). */
const MASKED = 20 / 128;
/** Sizes around vector lengths and tiles, where kernels have their edges. */
const ODD = [31, 33, 127, 129] as const;
/** Sides of the squares of a sweep. */
const SQUARES = [32, 64, 128, 256, 512, 1024] as const;
/** Rows and columns of a grid, and its inner size: the width of base. */
const GRID = [64, 128, 256, 512, 1024, 2048] as const;
const INNER = 768;

/** Sizes of one of google's shapes for a batch. @throws {ConfigError} for another name */
export function bertSizes(model: string, batch: number, seq: number, vocab = VOCAB): BertSizes {
  const { hiddenSize, numAttentionHeads, intermediateSize } = preset(model, { vocabSize: vocab });
  return {
    batch,
    seq,
    tokens: batch * seq,
    hidden: hiddenSize,
    heads: numAttentionHeads,
    intermediate: intermediateSize,
    vocab,
    masked: Math.max(1, Math.round(batch * seq * MASKED)),
  };
}

/** Ops that something can be timed of. */
export const TIMED: readonly Op[] = OPS.filter((op) => op.workload !== undefined);

/** @throws {UsageError} for a name that no timed op has */
function opNamed(name: string): Op {
  const op = TIMED.find((one) => one.name === name);
  if (op !== undefined) return op;
  const meant = nearest(
    name,
    TIMED.map((one) => one.name),
  );
  const view = OPS.some((one) => one.name === name);
  const why = view ? `"${name}" is a view of memory: nothing runs that could be timed` : `no op is called "${name}"`;
  throw new UsageError(`bench: ${why}${meant === null || view ? '' : `; did you mean "${meant}"?`}`, {
    fix: `use some of: ${TIMED.map((one) => one.name).join(' ')}`,
  });
}

/** @throws {UsageError} sizes that the op cannot have */
function parseSizes(text: string, op: Op): number[] {
  const sizes = text.split('x').map(Number);
  const { axes } = op.workload as NonNullable<Op['workload']>;
  if (sizes.length === axes.length && sizes.every((size) => Number.isInteger(size) && size > 0)) return sizes;
  throw new UsageError(`bench: shape "${text}" does not fit ${op.name}`, {
    fix: `give ${axes.length} whole numbers above 0 with an x between them: ${axes.join(' x ')}`,
  });
}

interface Place {
  readonly group: string;
  readonly where: string;
  readonly sizes: readonly number[];
}

/** Odd sizes for an op with so many axes: products get them on every axis, the rest on rows and columns. */
function oddPlaces(op: Op): Place[] {
  const axes = (op.workload as NonNullable<Op['workload']>).axes.length;
  if (axes > 3) return []; // heads and batches have no edges that these sizes would find
  return ODD.map((side) => ({ group: 'odd', where: 'edges', sizes: new Array<number>(axes).fill(side) }));
}

const isProduct = (op: Op): boolean => op.workload?.axes.join(' ') === 'm k n';

/** Squares, and a grid of rows and columns at one inner size; for products alone. */
function productPlaces(op: Op): Readonly<Record<string, readonly Place[]>> {
  if (!isProduct(op)) return {};
  const sweep = SQUARES.map((n) => ({ group: 'sweep', where: 'squares', sizes: [n, n, n] }));
  const grid = GRID.flatMap((m) =>
    GRID.map((n) => ({ group: 'grid', where: 'rows and columns', sizes: [m, INNER, n] })),
  );
  return { sweep, grid };
}

const GROUPS = ['bert', 'odd', 'sweep', 'grid'];

/** @throws {UsageError} for a group that there is not */
function checkGroups(groups: readonly string[]): void {
  const unknown = groups.find((group) => !GROUPS.includes(group));
  if (unknown === undefined) return;
  throw new UsageError(`bench: no sizes are called "${unknown}"`, { fix: `use some of: ${GROUPS.join(' ')}` });
}

function placesOf(op: Op, { models = ['base'], shapes, batch, seq, groups }: CaseOptions): Place[] {
  if (shapes !== undefined) return shapes.map((text) => ({ group: 'given', where: '', sizes: parseSizes(text, op) }));
  const workload = op.workload as NonNullable<Op['workload']>;
  const bert = models.flatMap((model) =>
    workload.bert(bertSizes(model, batch, seq)).map(([where, sizes]) => ({ group: model, where, sizes })),
  );
  const places: Readonly<Record<string, readonly Place[]>> = { bert, odd: oddPlaces(op), ...productPlaces(op) };
  return groups.flatMap((group) => places[group] ?? []);
}

/**
 * All cases that were asked for, an op after the other.
 * @throws {UsageError} unknown op, or sizes that do not fit; {ConfigError} unknown model
 */
export function casesOf(options: CaseOptions): BenchCase[] {
  const ops = options.ops === undefined || options.ops.length === 0 ? TIMED : options.ops.map(opNamed);
  checkGroups(options.groups);
  const directions = options.directions ?? ['forward', 'backward'];
  return ops.flatMap((op) =>
    placesOf(op, options).flatMap(({ group, where, sizes }) => {
      const sample = { name: where, ...(op.workload as NonNullable<Op['workload']>).at(sizes) };
      return directions
        .filter((direction) => direction === 'forward' || typeof op.backward === 'function')
        .map((direction): BenchCase => ({ op, sample, sizes, group, where, direction }));
    }),
  );
}

/** "linear/512x768x768/forward": the name in files, by which two of them are compared. */
export const caseName = ({ op, sizes, direction }: BenchCase): string => `${op.name}/${sizes.join('x')}/${direction}`;

export { presetNames as modelNames };
