import { join } from 'node:path';
import { DataError, InputError, OutputError } from '../core/errors.js';
import { disk, readJsonFile, writeFileAtomic } from './files.js';
import type { JsonObject } from './json.js';
import { systemError } from './system-errors.js';

/** Names inside a run folder. */
export const RUN = {
  json: 'run.json',
  metrics: 'metrics.jsonl',
  samples: 'samples.jsonl',
  remarks: 'remarks.jsonl',
  sessions: 'sessions.jsonl',
  events: 'tb',
  report: 'report.html',
} as const;

/** Version of the layout; a change that old programs cannot read raises it. */
const FORMAT = 1;

/**
 * Makes a run folder with its run.json.
 * @param runJson options, seed, versions, hash of the data: all that must not change between sessions
 * @throws {OutputError} the folder has something in it other than a lock; no permission
 */
export async function createRun(folder: string, runJson: object): Promise<void> {
  try {
    await disk.makeFolder(folder);
    const names = (await disk.list(folder)).filter((name) => name !== 'lock');
    if (names.length > 0) {
      const isRun = names.includes(RUN.json);
      throw new OutputError(`${folder}: ${isRun ? 'there is a run in this folder already' : 'is not empty'}`, {
        code: 'RUN-EXISTS',
        where: `it holds ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', ...' : ''}`,
        fix: isRun ? 'go on with it by --resume, or name another folder' : 'name another folder',
      });
    }
  } catch (error) {
    throw systemError(error, folder, 'write');
  }
  await writeFileAtomic(join(folder, RUN.json), `${JSON.stringify({ format: FORMAT, ...runJson }, null, 2)}\n`);
}

/**
 * Reads the run.json of a run folder, without its format.
 * @throws {InputError} not there, or no run; {DataError} damaged, or of a later version of this program
 */
export async function openRun(folder: string): Promise<JsonObject> {
  const path = join(folder, RUN.json);
  const names = await disk.list(folder).catch((error: unknown) => {
    throw systemError(error, folder, 'read');
  });
  if (!names.includes(RUN.json)) {
    throw new InputError(`${folder}: is not a run: ${RUN.json} is missing`, {
      code: 'RUN-MISSING',
      where: folder,
      fix: 'name the folder that `pretrain` was given',
    });
  }
  const { format, ...run } = await readJsonFile(path);
  if (format === FORMAT) return run;
  throw new DataError(`${path}: format ${JSON.stringify(format)}, but this program knows format ${FORMAT}`, {
    code: 'RUN-FORMAT',
    where: path,
    fix: 'use the version of bertgrad that made this run',
  });
}
