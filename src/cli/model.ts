import { stat } from 'node:fs/promises';
import { InputError, IoError } from '../core/errors.js';
import { hubModel } from '../io/hub.js';
import { hubSettings, parseHubName } from '../io/hub-settings.js';
import type { LoadedModel } from '../train/model-folder.js';
import { formatMessage, printable } from './errors.js';
import { bytes, clip, isLive } from './ui.js';

/** What every command that takes a model says of it. */
export const MODEL_ARGUMENT = 'a run, a checkpoint, a model folder, or org/name on the hub';
export const TASK_MODEL_ARGUMENT =
  'a fine-tuned model: a run, a model folder with a head for a task, or org/name on the hub';

/**
 * The folder of a model, however it was named: what is there on the disk comes first, and then the hub.
 * @throws {InputError} neither; and what the hub throws, which then says that there is no such folder either
 */
export async function openFolder(name: string): Promise<string> {
  const hub = parseHubName(name);
  if (hub === null || (await stat(name).catch(() => null)) !== null) return name;
  const progress = new DownloadProgress();
  try {
    return await hubModel(hub, hubSettings(), { progress: progress.show, remark: (text) => progress.remark(text) });
  } catch (error) {
    throw orMistyped(error, name);
  } finally {
    progress.end();
  }
}

/** A name of two parts may have been meant for a folder: whoever mistyped that should not read of a network alone. */
function orMistyped(error: unknown, name: string): unknown {
  const Kind = [InputError, IoError].find((kind) => error instanceof kind);
  if (Kind === undefined || !(error instanceof Error)) return error;
  const { code, where, fix } = error as InputError | IoError;
  if (code === undefined || !['HUB-MISSING', 'HUB-NETWORK', 'HUB-OFFLINE'].includes(code)) return error;
  const parts = { ...(where === undefined ? {} : { where }), ...(fix === undefined ? {} : { fix }) };
  return new Kind(`${error.message}; and there is no folder ${printable(name)} here`, { code, ...parts, cause: error });
}

/** Milliseconds from one drawing to the next. */
const REDRAW = 200;

/** A line of progress that is drawn again and again on a terminal; elsewhere a line for each file that is larger than a megabyte. */
class DownloadProgress {
  private drawnAt = 0;
  private drawn = false;

  readonly show = (name: string, done: number, total: number): void => {
    const whole = done === total;
    const text = `${printable(name)}: ${bytes(done)} of ${bytes(total)}`;
    if (!isLive(process.stderr)) {
      if (whole && total >= 1e6) process.stderr.write(`fetched ${printable(name)}, ${bytes(total)}\n`);
    } else if (whole || Date.now() - this.drawnAt >= REDRAW) {
      process.stderr.write(`\r\u001b[K${clip(text, (process.stderr.columns ?? 80) - 1)}`);
      [this.drawnAt, this.drawn] = [Date.now(), true];
    }
  };

  remark(text: string): void {
    this.end();
    process.stderr.write(formatMessage('warning', 'HUB', text));
  }

  end(): void {
    if (this.drawn) process.stderr.write('\r\u001b[K');
    this.drawn = false;
  }
}

type Notes = Pick<LoadedModel, 'missing' | 'unused' | 'unknownKeys' | 'skipped' | 'addedTokens' | 'folder'>;

const MOST_NAMED = 5;
/** The first names of a list. */
export const named = (names: readonly string[]): string =>
  names.slice(0, MOST_NAMED).join(', ') + (names.length > MOST_NAMED ? `, and ${names.length - MOST_NAMED} more` : '');

/** What a model's files and the model here do not share: one warning for each kind, none where all fits. */
export function warnings({ missing, unused, unknownKeys, skipped, addedTokens, folder }: Notes): string[] {
  const found: [names: readonly string[], what: string, fix: string][] = [
    [
      missing,
      'not in the file, so they begin with random numbers',
      'train them, or use the model for what it was saved for',
    ],
    [unused, 'tensors of the file that this model has no place for', 'they are not used'],
    [
      [...skipped.keys()],
      'tensors of the file that are no weights, or of a type that is not read',
      'they are not used',
    ],
    [
      unknownKeys,
      'keys of config.json that are not known',
      'they are passed over; if one changes how the model computes, results differ',
    ],
    [addedTokens, 'added tokens that are taken for plain text', 'write texts without them'],
  ];
  return found.flatMap(([names, what, fix]) =>
    names.length === 0
      ? []
      : [formatMessage('warning', 'MODEL-PARTS', `${what}: ${named(names)}`, { where: folder, fix })],
  );
}

/** Tells of everything that was passed over while a model was opened. */
export function tellOf(notes: Notes): void {
  for (const warning of warnings(notes)) process.stderr.write(warning);
}
