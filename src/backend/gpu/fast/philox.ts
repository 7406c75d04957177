import { DROPOUT_ROUNDS } from '../../../core/random.js';

/**
 * Philox4x32-7 as `core/random.ts` has it, and its layout: the number of element j of a row is a half of word (j / 16) % 4
 * of the counter row * stride / 8 + (j / 128) * 16 + j % 16. WGSL has no product of 64 bits: it is put together from
 * halves.
 */
export const PHILOX = `
fn mul_high(a : u32, b : u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u;
  let bl = b & 0xffffu; let bh = b >> 16u;
  let middle = ah * bl + ((al * bl) >> 16u);
  let carry = al * bh + (middle & 0xffffu);
  return ah * bh + (middle >> 16u) + (carry >> 16u);
}
fn philox(low : u32, high : u32, step : u32, stream : u32, key0 : u32, key1 : u32) -> vec4<u32> {
  var x = vec4<u32>(low, high, step, stream);
  var k = vec2<u32>(key0, key1);
  for (var round = 0u; round < ${DROPOUT_ROUNDS}u; round++) {
    let h0 = mul_high(0xd2511f53u, x.x); let l0 = 0xd2511f53u * x.x;
    let h1 = mul_high(0xcd9e8d57u, x.z); let l1 = 0xcd9e8d57u * x.z;
    x = vec4<u32>(h1 ^ x.y ^ k.x, l1, h0 ^ x.w ^ k.y, l0);
    k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return x;
}
// The four words of lane lane (0 .. 15) of block part (128 elements) of a row.
fn random_words(row : u32, part : u32, lane : u32, blocks : u32, step : u32, stream : u32, key0 : u32, key1 : u32) -> vec4<u32> {
  // The counter is row * blocks * 16 + part * 16 + lane, in 64 bits.
  let low = row * (blocks * 16u);
  let high = mul_high(row, blocks * 16u);
  let sum = low + part * 16u + lane;
  return philox(sum, high + select(0u, 1u, sum < low), step, stream, key0, key1);
}
// The number of the i-th element (0 .. 7) of those words: of element lane + 16 i of the block.
fn random_number(words : vec4<u32>, i : u32) -> u32 {
  return (words[i % 4u] >> (i / 4u * 16u)) & 0xffffu;
}`;
