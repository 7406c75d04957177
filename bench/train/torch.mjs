// PyTorch's side: the step of ../shared/anchors, in each Python that BG_PYTHON names (commands, `;` between them).
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { maskedOf } from '../../dist/bench/random-batch.js';

const ANCHORS = fileURLToPath(new URL('../../../shared/anchors', import.meta.url));

/** Runs the program with another size of the vocabulary. */
const PROGRAM = [
  'import sys, runpy',
  'sys.path.insert(0, sys.argv.pop(1))',
  'import torch_bert_flops',
  'torch_bert_flops.VOCAB = int(sys.argv.pop(1))',
  'sys.argv[0] = sys.path[0] + "/torch_bert_step.py"',
  'runpy.run_path(sys.argv[0], run_name="__main__")',
].join('\n');

export const pythons = () => (process.env.BG_PYTHON ?? 'python3').split(';').map((command) => command.trim());

/**
 * One measurement.
 * @param variant 'b': logits at the masked places, as here; 'a': at every place, as transformers has them
 */
export function torchStep(python, { model, vocab, batch, seq, threads, seconds, variant, bf16 }) {
  if (!existsSync(ANCHORS)) return { reason: 'its program is not there (../shared/anchors)' };
  const [command, ...first] = python.split(' ');
  const flags = { model, variant, preds: maskedOf(seq), batch, seq, threads, seconds };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  if (bf16) args.push('--bf16');
  const child = spawnSync(command, [...first, '-c', PROGRAM, realpathSync(ANCHORS), `${vocab}`, ...args], {
    encoding: 'utf8',
  });
  if (child.status !== 0) return { reason: (child.stderr ?? `${child.error}`).trim().split('\n').at(-1) };
  const line = JSON.parse(child.stdout.trim().split('\n').at(-1));
  return { engine: line.engine, step: line.ms / 1000, flops: line.gflop * 1e9, rss: line.rss_mb };
}
