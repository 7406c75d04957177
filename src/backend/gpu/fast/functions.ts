// Functions of four elements at a time, for the ends of products: those that an epilogue may name. The same formulas as in
// kernels/functions.ts.

/** exp keeps NaN on every device. */
export const EXP = 'fn exp4(v : vec4<f32>) -> vec4<f32> { return select(v, exp(v), v == v); }';

const CDF = `
fn cdf4(v : vec4<f32>, density : ptr<function, vec4<f32>>) -> vec4<f32> {
  let t = 1.0 / (abs(v) * 0.27 + 1.0);
  let e = exp4(v * v * -0.5);
  let q = ((((-0.1187580834 * t + 0.4984958914) * t - 0.4043508954) * t + 0.3840546866) * t + 0.02232131577) * t + 0.1182371316;
  let below = q * t * e;
  *density = e * 0.398942280;
  return select(1.0 - below, below, v < vec4<f32>());
}`;

const SIGMOID = `
fn sigmoid4(u : vec4<f32>) -> vec4<f32> {
  let e = exp4(-abs(u));
  return select(vec4<f32>(1.0), e, u < vec4<f32>()) / (e + 1.0);
}
fn gelu_argument4(near : vec4<f32>) -> vec4<f32> { return near * (near * near * 0.0713548163 + 1.59576912); }
fn near4(v : vec4<f32>) -> vec4<f32> { return select(select(v, vec4<f32>(9.0), v > vec4<f32>(9.0)), vec4<f32>(-9.0), v < vec4<f32>(-9.0)); }`;

/** `value(v)` and `slope(v)` of a function, as WGSL. */
export const EPILOGUES: Readonly<Record<string, string>> = {
  gelu: `${EXP}${CDF}
fn value(v : vec4<f32>) -> vec4<f32> {
  var d : vec4<f32>;
  let p = cdf4(v, &d);
  return v * select(p, vec4<f32>(), v < vec4<f32>(-20.0));
}
fn slope(v : vec4<f32>) -> vec4<f32> {
  var d : vec4<f32>;
  let p = cdf4(v, &d);
  let inside = select(p + v * d, vec4<f32>(1.0), v > vec4<f32>(20.0));
  return select(inside, vec4<f32>(), v < vec4<f32>(-20.0));
}`,
  geluTanh: `${EXP}${SIGMOID}
fn value(v : vec4<f32>) -> vec4<f32> {
  let s = sigmoid4(gelu_argument4(near4(v)));
  return v * select(s, vec4<f32>(), v < vec4<f32>(-9.0));
}
fn slope(v : vec4<f32>) -> vec4<f32> {
  let near = near4(v);
  let s = sigmoid4(gelu_argument4(near));
  return s + near * s * (1.0 - s) * (0.2140644488 * near * near + 1.59576912);
}`,
  relu: `
fn value(v : vec4<f32>) -> vec4<f32> { return select(v, vec4<f32>(), v < vec4<f32>()); }
fn slope(v : vec4<f32>) -> vec4<f32> { return select(vec4<f32>(), vec4<f32>(1.0), v > vec4<f32>()); }`,
};
