import { Command } from 'commander';
import { writeFileAtomic } from '../io/files.js';
import { type LoadedTask, withTask } from '../train/tasks/folder.js';
import { evaluate } from '../train/tasks/infer.js';
import { addBackendOptions, type BackendFlags, chooseBackend } from './backend.js';
import { openFolder, TASK_MODEL_ARGUMENT, tellOf } from './model.js';
import { addPrecisionOption, type PrecisionFlags, prepareFor } from './precision.js';
import type { ColumnFlags, QaFlags, TextFlags } from './task-options.js';
import { addColumnOptions, addQaOptions, addTextOptions, columnsOf, settingsGiven } from './task-options.js';
import { measuresText, problemText } from './task-view.js';

const EXAMPLES = `
Examples:
  bertgrad evaluate runs/sentiment test.tsv
  bertgrad evaluate runs/names test.conll --predictions guesses.jsonl
  bertgrad evaluate runs/qa dev.json --answer-rules cmrc --json

A line of --predictions holds the text, the answer, the truth, and whether they are the same.`;

interface Flags extends BackendFlags, PrecisionFlags, ColumnFlags, TextFlags, QaFlags {
  readonly skipBad?: boolean;
  readonly predictions?: string;
  readonly json?: boolean;
}

/** `bertgrad evaluate <model> <file>` */
export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('Measure a fine-tuned model on examples whose answers are known.')
    .argument('<model>', TASK_MODEL_ARGUMENT)
    .argument('<file>', 'TSV, CSV, JSONL, JSON, Parquet, CoNLL or SQuAD, as finetune takes it')
    .option('--predictions <file>', 'write every example with its answer, a JSON object a line')
    .option('--json', 'print the measures as JSON');
  addColumnOptions(command);
  addTextOptions(command);
  addQaOptions(command);
  return addBackendOptions(addPrecisionOption(command))
    .addHelpText('after', EXAMPLES)
    .action(async (model: string, file: string, flags: Flags) => {
      await chooseBackend(flags, model);
      await withTask(await openFolder(model), settingsGiven(flags), (loaded) => {
        tellOf(loaded.notes);
        prepareFor(loaded.model, flags);
        return measure(loaded, file, flags);
      });
    });
}

async function measure<E, A>({ kind, task, model }: LoadedTask<E, A>, file: string, flags: Flags): Promise<void> {
  const labels = task.labelConfig;
  const known = labels === null || labels.problemType === 'regression' ? {} : { known: new Set(labels.labels) };
  const multiLabel = labels?.problemType === 'multi_label_classification';
  const { examples, problems, said } = await kind.read(file, { columns: columnsOf(flags), multiLabel, ...known });
  problems.settle(flags.skipBad ?? false);
  process.stderr.write(`${said}\n`);
  const features = task.features(examples, problems);
  const { loss, measures, answers } = await evaluate(model, task, examples, features);
  process.stderr.write(problemText(problems.counts()));
  if (flags.predictions !== undefined) {
    const lines = examples.map((example, i) =>
      JSON.stringify({ ...task.describe(example, answers[i]), ...task.judge(example, answers[i]) }),
    );
    await writeFileAtomic(flags.predictions, `${lines.join('\n')}\n`);
  }
  const about = { file, examples: examples.length, loss, ...measures, problems: problems.counts() };
  process.stdout.write(flags.json ? `${JSON.stringify(about)}\n` : measuresText(measures));
}
