/** What native/commands.h can do; a command's code is its place here. The addon names its own, and both must agree. */
export const COMMANDS = [
  'fill',
  'fillI32',
  'copy',
  'accumulate',
  'unary',
  'unaryGrad',
  'binary',
  'where',
  'reduce',
  'argmax',
  'matmul',
  'pack',
  'unpack',
  'softmax',
  'softmaxGrad',
  'logSoftmax',
  'logSoftmaxGrad',
  'layerNorm',
  'layerNormGrad',
  'crossEntropy',
  'crossEntropyGrad',
  'crossEntropyInPlace',
  'residualNorm',
  'residualNormGrad',
  'embeddingNorm',
  'embeddingNormGrad',
  'checkIds',
  'gather',
  'scatterAdd',
  'dropout',
  'attention',
  'attentionGrad',
  'sumSquares',
  'adamw',
] as const;
export type Command = (typeof COMMANDS)[number];

/** Names of elementwise functions in the order of `UnaryFn` in native/kernels.h. */
export const UNARY_FUNCTIONS = [
  'neg',
  'abs',
  'exp',
  'log',
  'sqrt',
  'rsqrt',
  'square',
  'reciprocal',
  'tanh',
  'sigmoid',
  'relu',
  'erf',
  'gelu',
  'geluTanh',
  'addScalar',
  'mulScalar',
  'powScalar',
] as const;

/** The same for `BinaryFn`. */
export const BINARY_FUNCTIONS = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'equal', 'greater', 'less'] as const;

/** The same for `ReduceFn`. */
export const REDUCE_FUNCTIONS = ['sum', 'max', 'min'] as const;

/** The same for `EpilogueKind`; 0 is none. */
export const EPILOGUE_KINDS = ['none', 'activate', 'slope', 'add'] as const;

/** The same for `Precision`; native/commands.h takes them in this order. */
export const PRECISIONS = ['f32', 'bf16', 'int8'] as const;

const places = <Name extends string>(names: readonly Name[]): ReadonlyMap<string, number> =>
  new Map(names.map((name, place) => [name, place]));

/** Code by name. */
export const UNARY_CODES = places(UNARY_FUNCTIONS);
export const BINARY_CODES = places(BINARY_FUNCTIONS);
export const REDUCE_CODES = places(REDUCE_FUNCTIONS);
export const EPILOGUE_CODES = places(EPILOGUE_KINDS);
export const PRECISION_CODES = places(PRECISIONS);
/** Code by name; a record, so that a lookup by a constant name costs nothing. */
export const COMMAND_CODES = Object.fromEntries(COMMANDS.map((name, place) => [name, place])) as Readonly<
  Record<Command, number>
>;
