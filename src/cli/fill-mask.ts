import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { UsageError } from '../core/errors.js';
import { fillMask, type Guess } from '../train/fill-mask.js';
import { type LoadedModel, loadModel } from '../train/model-folder.js';
import { addBackendOptions, type BackendFlags, chooseBackend } from './backend.js';
import { printable } from './errors.js';
import { MODEL_ARGUMENT, openFolder, tellOf } from './model.js';
import { wholeNumber } from './options.js';
import { addPrecisionOption, type PrecisionFlags, prepareFor } from './precision.js';
import { pad, share, width } from './ui.js';

const EXAMPLES = `
Examples:
  bertgrad fill-mask runs/first "The capital of France is [MASK]."
  bertgrad fill-mask runs/first --top 3 "He [MASK] his hat." "She opened the [MASK]."
  bertgrad fill-mask runs/first --json < sentences.txt      one text a line, one JSON object a line

A run folder gives its best checkpoint. Any folder with config.json, model.safetensors and vocab.txt will do.`;

interface Flags extends BackendFlags, PrecisionFlags {
  readonly top: number;
  readonly json?: boolean;
}

/** `bertgrad fill-mask <model> [text...]` */
export function fillMaskCommand(): Command {
  const command = new Command('fill-mask')
    .description('Let a model guess what stands at each [MASK] of a text.')
    .argument('<model>', MODEL_ARGUMENT)
    .argument('[text...]', 'texts that hold [MASK]; none: lines of standard input')
    .option('--top <n>', 'guesses for each mask', wholeNumber(1, 1000), 5)
    .option('--json', 'one JSON object a text')
    .addHelpText('after', EXAMPLES);
  return addBackendOptions(addPrecisionOption(command)).action(
    async (folder: string, texts: string[], flags: Flags) => {
      if (texts.length === 0 && process.stdin.isTTY) {
        throw new UsageError('no text to fill', {
          code: 'USAGE',
          fix: 'give one in quotes: "Paris is the [MASK] of France."',
        });
      }
      await chooseBackend(flags, folder);
      const loaded = await loadModel(await openFolder(folder));
      tellOf({ ...loaded, missing: [] }); // pooler and sentence head, which guess no words
      prepareFor(loaded.model, flags);
      const lines =
        texts.length > 0 ? texts : createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
      for await (const line of lines) if (line.trim() !== '') await answer(loaded, line, flags);
      loaded.model.dispose();
    },
  );
}

async function answer({ model, tokenizer }: LoadedModel, text: string, { top, json }: Flags): Promise<void> {
  const masks = await fillMask(model, tokenizer, text, top);
  process.stdout.write(
    json ? `${JSON.stringify({ text, masks })}\n` : `${printable(text)}\n${masks.map(table).join('\n')}\n\n`,
  );
}

/** Guesses of one mask, a line each, with a bar as long as the probability. */
function table(guesses: readonly Guess[]): string {
  const widest = Math.max(...guesses.map(({ token }) => width(printable(token))));
  return guesses
    .map(({ token, probability }) => {
      const bar = '█'.repeat(Math.round(probability * 40));
      return `  ${share(probability)}  ${pad(printable(token), widest)}  ${bar}`.trimEnd();
    })
    .join('\n');
}
