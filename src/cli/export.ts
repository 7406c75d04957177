import { join, relative } from 'node:path';
import { Command, Option } from 'commander';
import { onnxChunks } from '../io/onnx.js';
import { writeFolder } from '../io/output-folder.js';
import { sentenceFiles } from '../io/sentence-files.js';
import { configOf, type LoadedAny, loadAny, modelFiles, tokenizerFiles } from '../train/any-model.js';
import { onnxModel } from '../train/onnx/export.js';
import { weightsOf } from '../train/weights.js';
import { printable } from './errors.js';
import { MODEL_ARGUMENT, openFolder, tellOf } from './model.js';
import { bytes } from './ui.js';

const EXPORT_EXAMPLES = `
Examples:
  bertgrad export runs/first -o models/first                 opens in transformers: from_pretrained("models/first")
  bertgrad export runs/first -o models/first-onnx --to onnx  runs in onnxruntime and transformers.js`;

const IMPORT_EXAMPLES = `
Examples:
  bertgrad import uncased_L-12_H-768_A-12 -o models/base     a checkpoint of google-research/bert
  bertgrad import old-model -o models/new                    pytorch_model.bin, names of earlier years, half precision

Every command reads such folders as they are; this writes one as it would be saved today.`;

interface Flags {
  readonly output: string;
  readonly to: 'hf' | 'onnx';
  readonly overwrite?: boolean;
}

const addOutput = (command: Command): Command =>
  command
    .argument('<model>', MODEL_ARGUMENT)
    .requiredOption('-o, --output <folder>', 'where it goes')
    .option('--overwrite', 'write into a folder that holds something');

/** `bertgrad export <model> -o <folder>` */
export function exportCommand(): Command {
  const command = new Command('export').description('Write a model for other programs.');
  return addOutput(command)
    .addOption(new Option('--to <form>', 'a folder for transformers, or ONNX').choices(['hf', 'onnx']).default('hf'))
    .addHelpText('after', EXPORT_EXAMPLES)
    .action(write);
}

/** `bertgrad import <model> -o <folder>` */
export function importCommand(): Command {
  const command = new Command(`import`).description("Turn a BERT of any form into a folder of today's form.");
  return addOutput(command)
    .addHelpText('after', IMPORT_EXAMPLES)
    .action((name: string, flags: Omit<Flags, 'to'>) => write(name, { ...flags, to: 'hf' }));
}

async function write(name: string, { output, to, overwrite }: Flags): Promise<void> {
  process.env.BG_BACKEND ??= 'js'; // nothing is computed, and plain memory needs no addon
  const folder = await openFolder(name);
  const loaded = await loadAny(folder);
  tellOf(loaded);
  const files = to === 'onnx' ? await onnxFiles(loaded) : await modelFiles(loaded);
  await writeFolder(output, await withModules(folder, loaded, files), overwrite);
  const count = loaded.model.parameterCount();
  process.stdout.write(`${printable(output)}: ${loaded.architecture}, ${bytes(4 * count)} of weights\n`);
  loaded.model.dispose();
}

type Files = Parameters<typeof writeFolder>[1];

/** The layout that transformers.js looks for. */
async function onnxFiles({ model, architecture, tokenizer }: LoadedAny): Promise<Files> {
  const { config } = model;
  const onnx = onnxModel(architecture, config, await weightsOf(model));
  return {
    'config.json': `${JSON.stringify(configOf(model, architecture), null, 2)}\n`,
    ...tokenizerFiles(tokenizer, config.maxPositionEmbeddings),
    'onnx/model.onnx': onnxChunks(onnx),
  };
}

/** A model of sentence-transformers keeps its modules, and its encoder the place they name. */
async function withModules(folder: string, loaded: LoadedAny, files: Files): Promise<Files> {
  const modules = await sentenceFiles(folder);
  if (Object.keys(modules).length === 0) return files;
  const below = relative(folder, loaded.folder);
  const moved = Object.entries(files).map(([name, content]) => [join(below, name), content] as const);
  return { ...modules, ...Object.fromEntries(moved) };
}
