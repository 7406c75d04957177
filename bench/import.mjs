// What loading the library adds to Node alone: time of a process and resident memory.
//   node bench/import.mjs [--rounds 15] [--file dist/node/bertgrad.js]
// In turn, each in a process of its own.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median } from './measure.mjs';
import { parseOptions } from './options.mjs';

const { values } = parseOptions({
  options: { rounds: { type: 'string', default: '15' }, file: { type: 'string', multiple: true } },
});
const files = values.file ?? ['dist/node.js', 'dist/node/bertgrad.js'];

/** Milliseconds and megabytes of a process that loads a file, or nothing. */
function load(file) {
  const url = file === null ? null : new URL(`../${file}`, import.meta.url).href;
  const code = `${url === null ? '' : `await import('${url}');`}console.log(process.memoryUsage.rss())`;
  const from = performance.now();
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(child.stderr);
  return { ms: performance.now() - from, mb: Number(child.stdout) / 1e6 };
}

const there = files.filter((file) => existsSync(fileURLToPath(new URL(`../${file}`, import.meta.url))));
const rounds = Array.from({ length: Number(values.rounds) }, () => [null, ...there].map(load));
const of = (i, key) => median(rounds.map((round) => round[i][key]));
console.log(`node alone  ${of(0, 'ms').toFixed(1)} ms  ${of(0, 'mb').toFixed(1)} MB`);
for (const [i, file] of there.entries()) {
  const added = median(rounds.map((round) => round[i + 1].ms - round[0].ms));
  console.log(`${file}  + ${added.toFixed(1)} ms  + ${(of(i + 1, 'mb') - of(0, 'mb')).toFixed(1)} MB`);
}
