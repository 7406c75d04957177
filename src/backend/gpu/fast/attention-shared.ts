import { type FastKernel, Memo } from '../spec.js';
import {
  type AttentionForm,
  bits,
  EXP,
  formName,
  forwardParams,
  kind,
  PLACES,
  rowReader,
  rowWriter,
  standing,
} from './attention-shader.js';
import { each, outerProduct } from './matmul-form.js';
import { fromNeighbour, turned } from './matmul-registers.js';
import { SHARERS } from './tiles.js';

/** Queries of a workgroup, which is one subgroup. */
export const QUERIES = 16;
/** Keys of a thread, and of a slice: as many as dropout has bits in a word. */
const KEYS = 8;
const SLICE = KEYS * SHARERS;
/** Rows of queries, four of which the four threads read. */
const GROUPS = QUERIES / 4;
/** A wider head has more sums than a processor compiles in time. */
const MOST_HEAD_DIM = 64;

/** Whether four threads can share out the columns of a head. */
export const isShared = ({ headDim, vector }: AttentionForm): boolean =>
  vector && headDim % (4 * SHARERS) === 0 && headDim <= MOST_HEAD_DIM;

const score = (row: number, group: number): string => `s${row}_${group}`;
const sum = (row: number, part: number): string => `y${row}_${part}`;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Scores of 16 queries with the thread's eight keys: a product of queries and keys, four columns at a time. */
const scores = ({ headDim }: AttentionForm): string => `
${each(QUERIES, (r) => each(KEYS / 4, (g) => `    var ${score(r, g)} = vec4<f32>();`))}
    for (var d = 0u; d < ${headDim / 4}u; d++) {
${each(GROUPS, (i) => `      let q${i} = row_q(own${i}, head, d);`)}
${each(KEYS, (e) => `      let k${e} = row_k(key${e}, head, d);`)}
${each(
  4,
  (e) => `      {
${each(
  KEYS / 4,
  (g) =>
    `      let b${g} = ${turned(
      numbers(4).map((i) => `k${4 * g + i}`),
      e,
    )};`,
)}
${outerProduct(QUERIES, KEYS / 4, score, (r) => fromNeighbour('q', r, e, false))}
      }`,
)}
    }`;

/** What dropout leaves of a query's probabilities of four of the thread's keys. */
const keep = (form: AttentionForm, row: number, group: number): string =>
  form.dropout
    ? ` * (params.keepScale * vec4<f32>((vec4<u32>(word${row}) >> (vec4<u32>(0u, 1u, 2u, 3u) + (lane * ${KEYS}u + ${4 * group}u))) & vec4<u32>(1u)))`
    : '';

/** One query's scores become probabilities; where one of them is the largest so far, what was summed shrinks. */
const probabilities = (form: AttentionForm, r: number): string => `
    {
${each(KEYS / 4, (g) => `      let s${g} = ${score(r, g)} * params.scale + bias${g};`)}
      let most = max(s0, s1);
      let largest = subgroupMax(max(max(most.x, most.y), max(most.z, most.w)));
      if (largest > top${r}) {
        let shrink = exp_of(top${r} - largest);
        top${r} = largest; total${r} *= shrink;
${each(form.headDim / 16, (c) => `        ${sum(r, c)} *= shrink;`)}
      }
${each(KEYS / 4, (g) => `      let p${g} = select(vec4<f32>(), exp4(s${g} - top${r}), present${g});`)}
      total${r} += dot(p0 + p1, vec4<f32>(1.0));
${form.dropout ? `      let word${r} = ${bits(`place${r}`, 'first')};` : ''}
${each(KEYS / 4, (g) => `      probs[${r * (SLICE / 4) + g}u + lane * ${KEYS / 4}u] = p${g}${keep(form, r, g)};`)}
    }`;

/** y += probabilities times values, four keys at a time; a thread has every fourth group of four columns. */
const mixed = ({ headDim }: AttentionForm): string => `
    for (var j = 0u; j < ${SLICE / 4}u && first + 4u * j < count; j++) {
${each(GROUPS, (i) => `      let p${i} = probs[(${4 * i}u + lane) * ${SLICE / 4}u + j];`)}
${each(
  4,
  (e) => `      {
      let row = base + min(first + 4u * j + ${e}u, count - 1u);
${each(headDim / 16, (c) => `      let b${c} = row_v(row, head, ${4 * c}u + lane);`)}
${outerProduct(QUERIES, headDim / 16, sum, (r) => fromNeighbour('p', r, e, false))}
      }`,
)}
    }`;

/** The thread's keys of a slice, their biases, and which of them there are. */
const keysOf = (): string => `
${each(KEYS, (e) => `    let at${e} = first + lane * ${KEYS}u + ${e}u; let key${e} = base + min(at${e}, count - 1u);`)}
${each(KEYS / 4, (g) => {
  const of = (text: (e: number) => string): string =>
    numbers(4)
      .map((i) => text(4 * g + i))
      .join(', ');
  return `    let bias${g} = vec4<f32>(${of((e) => `keyBias_at(key${e})`)});
    let present${g} = vec4<bool>(${of((e) => `at${e} < count`)});`;
})}`;

const ended = (form: AttentionForm, r: number): string => `
  let whole${r} = subgroupAdd(total${r});
  if (begin + ${r}u < owned) {
${each(form.headDim / 16, (c) => `    write_y(own + begin + ${r}u, head, ${4 * c}u + lane, ${sum(r, c)} / whole${r});`)}
    if (lane == 0u) { set_lse((own + begin + ${r}u) * params.heads + head, top${r} + log(whole${r})); }
  }`;

const kernels = new Memo<FastKernel>();

/**
 * The forward of `forwardKernel` where subgroups are four threads of a processor that plays the GPU, and reads cost as much
 * as arithmetic: 16 queries walk over the keys together, and each row is read for all of them. Two products as the tile
 * `few shared registers` has them, with the probabilities in workgroup memory in between.
 */
export const sharedForwardKernel = (form: AttentionForm): FastKernel => {
  const name = `attention shared ${formName(form)}`;
  return kernels.get([name], () => sharedText(name, form));
};

function sharedText(name: string, form: AttentionForm): FastKernel {
  const { given, headDim } = form;
  const placeOf = (r: number): string =>
    given ? `u32(places_at(own + min(begin + ${r}u, owned - 1u)))` : `min(begin + ${r}u, owned - 1u)`;
  return {
    name,
    subgroups: true,
    params: forwardParams(form),
    outputs: { y: kind(form), lse: 'f32' },
    wgsl: `${EXP}
fn exp4(x : vec4<f32>) -> vec4<f32> { return select(x, exp(x), x == x); }${PLACES}
${['q', 'k', 'v'].map((name) => rowReader(name, form)).join('\n')}
${rowWriter('y', form)}
var<workgroup> probs : array<vec4<f32>, ${(QUERIES * SLICE) / 4}>;
@compute @workgroup_size(${SHARERS})
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(subgroup_invocation_id) lane : u32) {${standing(given ? 'askers' : 'offsets', 'offsets', QUERIES)}
  let begin = wid.x * ${QUERIES}u;
${each(GROUPS, (i) => `  let own${i} = own + min(begin + ${4 * i}u + lane, owned - 1u);`)}
${each(QUERIES, (r) => `  var top${r} = -3.4028234e38; var total${r} = 0.0;${form.dropout ? ` let place${r} = ${placeOf(r)};` : ''}`)}
${each(QUERIES, (r) => each(headDim / 16, (c) => `  var ${sum(r, c)} = vec4<f32>();`))}
  for (var first = 0u; first < count; first += ${SLICE}u) {${keysOf()}${scores(form)}
${each(QUERIES, (r) => probabilities(form, r))}
    workgroupBarrier();
${mixed(form)}
    workgroupBarrier();
  }
${each(QUERIES, (r) => ended(form, r))}
}`,
  };
}
