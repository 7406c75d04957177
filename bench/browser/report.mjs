// What a comparison came to, against its goals.
import { median } from '../measure.mjs';

/** Goals on software adapters: how many times as fast as the peer. */
const GOALS = {
  matmul: {
    'bertgrad webgpu': { 'tfjs webgpu': 3, 'tfjs webgl': 1.5, 'jax-js webgpu': 1.5 },
    'bertgrad webgl2': { 'tfjs webgl': 0.7 },
  },
  forward: {
    'bertgrad webgpu': { 'tfjs webgpu': 1.5, 'tfjs webgl': 1 },
    'bertgrad webgl2': { 'tfjs webgl': 0.7 },
  },
};

const percent = (x) => `${(100 * x).toFixed(0)} %`;

/** Half of what lies between the quartiles, as a share of the median. */
function spread(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return (at(0.75) - at(0.25)) / 2 / median(times);
}

/** Ratios of rounds, for drift hits both halves of a round alike. */
export function ratios(kind, results) {
  const of = (name) => results.find((result) => result.name === name);
  return Object.entries(GOALS[kind]).flatMap(([us, peers]) =>
    Object.entries(peers).flatMap(([peer, goal]) => {
      const [ours, theirs] = [of(us), of(peer)];
      if (ours === undefined || theirs === undefined) return [];
      const each = ours.times.map((time, round) => theirs.times[round] / time);
      return [{ us, peer, goal, ratio: median(each), low: Math.min(...each), high: Math.max(...each) }];
    }),
  );
}

export function report({ kind, title, flops }, results) {
  console.log(`${title}, ${results[0]?.times.length} rounds`);
  for (const { name, times, error } of results) {
    const rate = flops === 0 ? '' : `  ${(flops / median(times) / 1e6).toFixed(1).padStart(6)} GFLOP/s`;
    const time = `${median(times).toFixed(1).padStart(8)} ms ± ${percent(spread(times))}`;
    console.log(`  ${name.padEnd(17)}${time.padEnd(22)}${rate}  error ${error.toFixed(2)} of what is allowed`);
  }
  for (const { us, peer, goal, ratio, low, high } of ratios(kind, results)) {
    const range = `${low.toFixed(2)} to ${high.toFixed(2)}`;
    const verdict = `goal ${goal}: ${ratio >= goal ? 'met' : 'missed'}`;
    console.log(`  ${us} is ${ratio.toFixed(2)} times as fast as ${peer} (${range}); ${verdict}`);
  }
}
