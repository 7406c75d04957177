import { type FastKernel, Memo } from '../spec.js';
import { each } from './matmul-form.js';

/** Threads of a workgroup: a query or a key each. */
export const BLOCK = 64;

/** All that makes one attention shader differ from another. */
export interface AttentionForm {
  readonly headDim: number;
  /** Rows in workgroup memory at a time: a divisor of 32, so that a slice's dropout bits are in one word. */
  readonly slice: number;
  /** Whether rows can be read four elements at a time. */
  readonly vector: boolean;
  readonly dropout: boolean;
  /** Whether only some rows ask: their places are given. */
  readonly given: boolean;
}

export const formName = ({ headDim, slice, vector, dropout, given }: AttentionForm): string =>
  `${headDim} ${slice}${vector ? ' 4' : ''}${dropout ? ' dropout' : ''}${given ? ' given' : ''}`;

/** Vectors of four that hold a row of one head. */
const parts = ({ headDim }: AttentionForm): number => Math.ceil(headDim / 4);

/** `row_x(row, head, i)`: the i-th vector of a head's columns. */
export function rowReader(name: string, { headDim, vector }: AttentionForm): string {
  const at = `(row * params.heads + head) * ${headDim}u + i * 4u`;
  if (vector) {
    return `fn row_${name}(row : u32, head : u32, i : u32) -> vec4<f32> { return ${name}_at((${at}) / 4u); }`;
  }
  return `fn row_${name}(row : u32, head : u32, i : u32) -> vec4<f32> {
  var v = vec4<f32>();
  for (var e = 0u; e < 4u; e++) { if (i * 4u + e < ${headDim}u) { v[e] = ${name}_at(${at} + e); } }
  return v;
}`;
}

export function rowWriter(name: string, { headDim, vector }: AttentionForm): string {
  const at = `(row * params.heads + head) * ${headDim}u + i * 4u`;
  if (vector) {
    return `fn write_${name}(row : u32, head : u32, i : u32, v : vec4<f32>) { set_${name}((${at}) / 4u, v); }`;
  }
  return `fn write_${name}(row : u32, head : u32, i : u32, v : vec4<f32>) {
  for (var e = 0u; e < 4u; e++) { if (i * 4u + e < ${headDim}u) { set_${name}(${at} + e, v[e]); } }
}`;
}

/** A row in registers: x0, x1, ... so that no compiler puts them elsewhere. */
const registers = (form: AttentionForm, name: string, from: string): string =>
  each(parts(form), (i) => `  var ${name}${i} = ${from === '' ? 'vec4<f32>()' : `row_${from}(mine, head, ${i}u)`};`);
const store = (form: AttentionForm, name: string, to: string, by = ''): string =>
  each(parts(form), (i) => `    write_${to}(mine, head, ${i}u, ${name}${i}${by});`);
/** x . slice[j]. */
const dot = (form: AttentionForm, name: string, slice: string): string =>
  Array.from({ length: parts(form) }, (_, i) => `dot(${name}${i}, ${slice}[j * ${parts(form)}u + ${i}u])`).join(' + ');
/** x += factor slice[j]. */
const add = (form: AttentionForm, name: string, factor: string, slice: string): string =>
  each(
    parts(form),
    (i) => `      ${name}${i} = fma(vec4<f32>(${factor}), ${slice}[j * ${parts(form)}u + ${i}u], ${name}${i});`,
  );

/** Workgroup memory for slices of rows, and how all threads fill it from row `base + first` on. */
const sliceOf = (form: AttentionForm, name: string): string =>
  `var<workgroup> slice_${name} : array<vec4<f32>, ${form.slice * parts(form)}>;`;
const fillSlices = (form: AttentionForm, names: readonly string[]): string => `
    workgroupBarrier();
    for (var u = t; u < ${form.slice * parts(form)}u; u += ${BLOCK}u) {
      let row = first + u / ${parts(form)}u;
      if (row < count) {
${names.map((name) => `        slice_${name}[u] = row_${name}(base + row, head, u % ${parts(form)}u);`).join('\n')}
      }
    }`;

export const kind = ({ vector }: AttentionForm): 'vec4' | 'f32' => (vector ? 'vec4' : 'f32');
/** Offsets, and behind them who asks, in one buffer: WebGPU promises a kernel eight. */
const OFFSETS = { ints: 'i32' } as const;
const NUMBERS = { sequences: 'int', heads: 'int', maxSeq: 'int', scale: 'float', keepScale: 'float' } as const;
export const PLACES = `
fn offsets_at(i : u32) -> i32 { return ints_at(i); }
fn askers_at(i : u32) -> i32 { return ints_at(params.sequences + 1u + i); }
fn places_at(i : u32) -> i32 { return ints_at(2u * (params.sequences + 1u) + i); }`;
/** What the gradient reads of a query or key besides its row, in one buffer: lse, then dots, then keyBias. */
const FLOATS = `
fn lse_at(i : u32) -> f32 { return floats_at(i); }
fn dots_at(i : u32) -> f32 { return floats_at(params.asked + i); }
fn keyBias_at(i : u32) -> f32 { return floats_at(2u * params.asked + i); }`;
const kept = ({ dropout }: AttentionForm): FastKernel['params'] => (dropout ? { mask: 'u32' } : {});

/**
 * Where this workgroup stands: its sequence and head, `owned` rows from `own` on, of which it has a block, and the rows these
 * meet, `count` of them `base` on. All threads of a workgroup leave together where the block lies beyond the sequence.
 */
export const standing = (own: string, other: string, block: number): string => `
  let sequence = wid.z; let head = wid.y;
  let own = u32(${own}_at(sequence)); let owned = u32(${own}_at(sequence + 1u)) - own;
  let base = u32(${other}_at(sequence)); let count = u32(${other}_at(sequence + 1u)) - base;
  if (wid.x * ${block}u >= owned) { return; }
  let layer = sequence * params.heads + head;`;
/** And `mine`, the thread's own row. */
const position = (own: string, other: string): string => `${standing(own, other, BLOCK)}
  let index = wid.x * ${BLOCK}u + t;
  let present = index < owned;
  let mine = own + min(index, owned - 1u);`;

const MAIN = `
@compute @workgroup_size(${BLOCK})
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(local_invocation_index) t : u32) {`;

/** Bits of 32 keys of a query's row: 1 where the probability is kept. */
export const bits = (place: string, key: string): string =>
  `mask_at((layer * params.maxSeq + ${place}) * ((params.maxSeq + 31u) / 32u) + (${key}) / 32u)`;
const keep = (form: AttentionForm, word: string, key: string): string =>
  form.dropout ? `select(0.0, params.keepScale, ((${word} >> ((${key}) % 32u)) & 1u) == 1u)` : '1.0';

/** The place of the thread's query, and the bits of the slice's keys. */
const queryPlace = ({ given }: AttentionForm): string =>
  `let place = ${given ? 'u32(places_at(mine))' : 'mine - own'};`;

/** Of queries: what is read, in the order of the call. */
export const forwardParams = (form: AttentionForm): FastKernel['params'] => ({
  ...{ q: kind(form), k: kind(form), v: kind(form), keyBias: 'f32' },
  ...OFFSETS,
  ...kept(form),
  ...NUMBERS,
});

const kernels = new Memo<FastKernel>();

export const EXP = 'fn exp_of(x : f32) -> f32 { return select(x, exp(x), x == x); }';

/** One more key: what was summed shrinks where its score is the largest so far. */
const meetKey = (form: AttentionForm): string => `
      let score = (${dot(form, 'q', 'slice_k')}) * params.scale + keyBias_at(base + first + j);
      if (!(score <= top)) {
        let shrink = exp_of(top - score);
        top = score; sum *= shrink;
${each(parts(form), (i) => `        y${i} *= shrink;`)}
      }
      let p = exp_of(score - top);
      sum += p;
      let weight = p * ${keep(form, 'word', 'first + j')};
${add(form, 'y', 'weight', 'slice_v')}`;

/**
 * A thread has a query and walks over the keys, keeping the largest score, the sum of exponentials and the weighted sum
 * of values so far (Milakov and Gimelshein 2018, arXiv:1805.02867, alg. 3; Dao et al. 2022, arXiv:2205.14135).
 */
export const forwardKernel = (form: AttentionForm): FastKernel => {
  const name = `attention ${formName(form)}`;
  return kernels.get([name], () => forwardText(name, form));
};

function forwardText(name: string, form: AttentionForm): FastKernel {
  const { slice, given } = form;
  return {
    name,
    params: forwardParams(form),
    outputs: { y: kind(form), lse: 'f32' },
    wgsl: `${EXP}${PLACES}
${['q', 'k', 'v'].map((name) => rowReader(name, form)).join('\n')}
${rowWriter('y', form)}
${sliceOf(form, 'k')}
${sliceOf(form, 'v')}
${MAIN}${position(given ? 'askers' : 'offsets', 'offsets')}
  ${queryPlace(form)}
${registers(form, 'q', 'q')}
${registers(form, 'y', '')}
  var top = -3.4028234e38; var sum = 0.0;
  for (var first = 0u; first < count; first += ${slice}u) {${fillSlices(form, ['k', 'v'])}
    workgroupBarrier();
    ${form.dropout ? `let word = ${bits('place', 'first')};` : ''}
    for (var j = 0u; j < min(${slice}u, count - first); j++) {${meetKey(form)}
    }
  }
  if (present) {
${store(form, 'y', 'y', ' / sum')}
    set_lse(mine * params.heads + head, top + log(sum));
  }
}`,
  };
}

const GRAD_INPUTS = ['q', 'k', 'v', 'dY'] as const;

const gradParams = (form: AttentionForm, names: readonly string[]): FastKernel['params'] => ({
  ...Object.fromEntries(names.map((name) => [name, kind(form)])),
  floats: 'f32',
  ...OFFSETS,
  ...kept(form),
  ...NUMBERS,
  asked: 'int',
});

/** dQ of a query, by walking over the keys. */
export const queryGradKernel = (form: AttentionForm): FastKernel => {
  const name = `attentionGrad dQ ${formName(form)}`;
  return kernels.get([name], () => queryGradText(name, form));
};

function queryGradText(name: string, form: AttentionForm): FastKernel {
  const { slice, given } = form;
  return {
    name,
    params: gradParams(form, GRAD_INPUTS),
    outputs: { dQ: kind(form) },
    wgsl: `${PLACES}${FLOATS}
${GRAD_INPUTS.map((name) => rowReader(name, form)).join('\n')}
${rowWriter('dQ', form)}
${sliceOf(form, 'k')}
${sliceOf(form, 'v')}
${MAIN}${position(given ? 'askers' : 'offsets', 'offsets')}
  ${queryPlace(form)}
${registers(form, 'q', 'q')}
${registers(form, 'd', 'dY')}
${registers(form, 'g', '')}
  let lse = lse_at(mine * params.heads + head);
  let dots = dots_at(mine * params.heads + head);
  for (var first = 0u; first < count; first += ${slice}u) {${fillSlices(form, ['k', 'v'])}
    workgroupBarrier();
    ${form.dropout ? `let word = ${bits('place', 'first')};` : ''}
    for (var j = 0u; j < min(${slice}u, count - first); j++) {
      let score = (${dot(form, 'q', 'slice_k')}) * params.scale + keyBias_at(base + first + j);
      let p = exp(score - lse);
      let dP = (${dot(form, 'd', 'slice_v')}) * ${keep(form, 'word', 'first + j')};
      let dS = p * (dP - dots) * params.scale;
${add(form, 'g', 'dS', 'slice_k')}
    }
  }
  if (present) {
${store(form, 'g', 'dQ')}
  }
}`,
  };
}

/** dK or dV of a key, by walking over the queries. dV needs the probabilities alone. */
export const keyGradKernel = (form: AttentionForm, which: 'dK' | 'dV'): FastKernel => {
  const name = `attentionGrad ${which} ${formName(form)}`;
  return kernels.get([name], () => keyGradText(name, form, which));
};

function keyGradText(name: string, form: AttentionForm, which: 'dK' | 'dV'): FastKernel {
  const { slice, given } = form;
  const ofKeys = which === 'dK';
  const names = ofKeys ? GRAD_INPUTS : (['q', 'k', 'dY'] as const);
  const body = ofKeys
    ? `let dP = (${dot(form, 'v', 'slice_dY')}) * kept;
      let dS = p * (dP - dots_at(query * params.heads + head)) * params.scale;
${add(form, 'g', 'dS', 'slice_q')}`
    : `let weight = p * kept;
${add(form, 'g', 'weight', 'slice_dY')}`;
  return {
    name,
    params: gradParams(form, names),
    outputs: { [which]: kind(form) },
    wgsl: `${PLACES}${FLOATS}
${names.map((name) => rowReader(name, form)).join('\n')}
${rowWriter(which, form)}
${sliceOf(form, 'q')}
${sliceOf(form, 'dY')}
${MAIN}${position('offsets', given ? 'askers' : 'offsets')}
  let key = mine - own;
${registers(form, 'k', 'k')}
${ofKeys ? registers(form, 'v', 'v') : ''}
${registers(form, 'g', '')}
  let bias = keyBias_at(mine);
  for (var first = 0u; first < count; first += ${slice}u) {${fillSlices(form, ['q', 'dY'])}
    workgroupBarrier();
    for (var j = 0u; j < min(${slice}u, count - first); j++) {
      let query = base + first + j;
      let score = (${dot(form, 'k', 'slice_q')}) * params.scale + bias;
      let p = exp(score - lse_at(query * params.heads + head));
      let kept = ${form.dropout ? keep(form, bits(given ? 'u32(places_at(query))' : 'first + j', 'key'), 'key') : '1.0'};
      ${body}
    }
  }
  if (present) {${store(form, 'g', which)}}
}`,
  };
}
