// Elementary functions as gpu.js text. `v` is the element, `c` the function's constant, `w` the value already computed.
// WGSL promises exp within 3 + 2|x| units of the last place and a division within 2.5; the polynomials are those of
// native/math.inl, where their own errors stand. Devices differ in what exp and log make of NaN, 0 and infinity: those are
// answered by comparisons, chosen so that NaN takes the branch that keeps it, and by divisions, as -Infinity is no literal.

/** A function of one element: the value, and the slope that `unaryGrad` multiplies with. Bodies of functions. */
export interface GpuFunction {
  readonly value: string;
  readonly slope: string;
}

const horner = (x: string, c: readonly string[]): string =>
  c.slice(1).reduce((sum, next) => `(${sum} * ${x} + ${next})`, c[0] as string);

const TANH = ['-5.70498872745e-3', '2.06390887954e-2', '-5.37397155531e-2', '1.33314422036e-1', '-3.33332819422e-1'];
const ERF_NEAR = [
  '-5.96761703e-4',
  '4.99119423e-3',
  '-2.67681349e-2',
  '1.12819925e-1',
  '-3.76125336e-1',
  '1.28379166e-1',
];
const ERF_FAR = [
  '-1.72853470e-5',
  '3.83197126e-4',
  '-3.88396438e-3',
  '2.42546219e-2',
  '-1.06777877e-1',
  '-6.34846687e-1',
  '-1.28717512e-1',
];
const CDF = ['-0.1187580834', '0.4984958914', '-0.4043508954', '0.3840546866', '0.02232131577', '0.1182371316'];

/** t = tanh v: a polynomial near 0, 1 - 2 / (e^2v + 1) beyond. */
const tanh = `
  const size = Math.abs(v);
  const a = size > 15 ? 15 : size;
  const z = v * v;
  const far = 1 - 2 / (Math.exp(a + a) + 1);
  const near = ${horner('z', TANH)} * z * v + v;
  const t = a >= 0.625 ? (v < 0 ? -far : far) : near;`;

/** s = 1 / (1 + e^-u), without overflow. */
const sigmoid = `
  const e = Math.exp(-Math.abs(u));
  const s = u == u ? (u < 0 ? e : 1) / (e + 1) : u;`;

/** p = distribution function of the standard normal at v, d = its density. */
const normal = `
  const t = 1 / (Math.abs(v) * 0.27 + 1);
  const e = v == v ? Math.exp(v * v * -0.5) : v;
  const below = ${horner('t', CDF)} * t * e;
  const d = e * 0.398942280;
  const p = v < 0 ? below : 1 - below;`;

/** u = twice the argument of tanh in geluTanh. Beyond 15 the sigmoid is 1 or 0 already. */
const geluArgument = `
  const near = v > 9 ? 9 : (v < -9 ? -9 : v);
  const u = near * (near * near * 0.0713548163 + 1.59576912);`;

/** p = v^e for any sign of v, as IEEE 754 has it. */
const power = `
  const size = v == v ? Math.pow(Math.abs(v), e) : v;
  let p = size;
  if (v < 0 && Math.floor(e) != e && v * 0.5 != v) { p = (v - v) / (v - v); }
  if (v < 0 && Math.floor(e) == e && Math.floor(e / 2) * 2 != e) { p = -size; }
  if (e == 0) { p = 1; }
  if (e == 1) { p = v; }
  if (e == 2) { p = v * v; }
  if (e == 3) { p = v * v * v; }
  if (e == -1) { p = 1 / v; }`;

export const UNARY: Readonly<Record<string, GpuFunction>> = {
  neg: { value: 'return -v;', slope: 'return -1;' },
  abs: { value: 'return Math.abs(v);', slope: 'return v > 0 ? 1 : (v < 0 ? -1 : v * 0);' },
  exp: { value: 'return v == v ? Math.exp(v) : v;', slope: 'return w;' },
  log: {
    value: `
  const special = v == 0 ? -1 / Math.abs(v) : (v > 0 ? v : (v - v) / (v - v));
  return v > 0 && v < 3.4e38 ? Math.log(v) : special;`,
    slope: 'return 1 / v;',
  },
  sqrt: { value: 'return Math.sqrt(v);', slope: 'return 0.5 / w;' },
  rsqrt: { value: 'return 1 / Math.sqrt(v);', slope: 'return -0.5 * w * w * w;' },
  square: { value: 'return v * v;', slope: 'return 2 * v;' },
  reciprocal: { value: 'return 1 / v;', slope: 'return -w * w;' },
  tanh: { value: `${tanh} return t;`, slope: 'return 1 - w * w;' },
  sigmoid: { value: `const u = v; ${sigmoid} return s;`, slope: 'return w * (1 - w);' },
  relu: { value: 'return v < 0 ? 0 : v;', slope: 'return v > 0 ? 1 : 0;' },
  erf: {
    value: `
  const size = Math.abs(v);
  const a = size > 4 ? 4 : size;
  const tail = 1 - Math.exp(${horner('a', ERF_FAR)} * a - a);
  return a > 0.927734375 ? (v < 0 ? -tail : tail) : ${horner('(v * v)', ERF_NEAR)} * v + v;`,
    slope: 'return 1.12837917 * Math.exp(-v * v);',
  },
  gelu: {
    value: `${normal} return v < -20 ? (v - v) * p : v * p;`,
    slope: `${normal} return v < -20 ? 0 : (v > 20 ? 1 : p + v * d);`,
  },
  geluTanh: {
    value: `${geluArgument} ${sigmoid} return v < -9 ? (v - v) * s : v * s;`,
    slope: `${geluArgument} ${sigmoid}
  return s + near * s * (1 - s) * (0.2140644488 * near * near + 1.59576912);`,
  },
  addScalar: { value: 'return v + c;', slope: 'return 1;' },
  mulScalar: { value: 'return v * c;', slope: 'return c;' },
  powScalar: {
    value: `const e = c; ${power} return p;`,
    slope: `const e = c - 1; ${power} return c == 0 ? 0 : c * p;`,
  },
};

/** Of two elements, a and b. A sum is NaN where one of them is. */
export const BINARY: Readonly<Record<string, string>> = {
  add: 'a + b',
  sub: 'a - b',
  mul: 'a * b',
  div: 'a / b',
  maximum: 'a > b ? a : (a <= b ? b : a + b)',
  minimum: 'a < b ? a : (a >= b ? b : a + b)',
  equal: 'a == b ? 1 : 0',
  greater: 'a > b ? 1 : 0',
  less: 'a < b ? 1 : 0',
};
