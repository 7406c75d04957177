import type { LoadedModel } from '../train/model-folder.js';
import { formatMessage } from './errors.js';

/** What every command that takes a model says of it. */
export const MODEL_ARGUMENT = 'a run, a checkpoint, or a model folder';

/** The folder of a model, however it was named. */
export const openFolder = async (name: string): Promise<string> => name;

type Notes = Pick<LoadedModel, 'missing' | 'unused' | 'unknownKeys' | 'skipped' | 'addedTokens' | 'folder'>;

const MOST_NAMED = 5;
const named = (names: readonly string[]): string =>
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
