import { copyFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OutputError } from '../core/errors.js';
import { type Content, disk, writeFileAtomic } from './files.js';
import { systemError } from './system-errors.js';

/**
 * Writes files into a folder of their own.
 * @param files contents by name, or the path of a file to copy; a name may have folders in it
 * @throws {OutputError} the folder holds something, unless `overwrite`; {IoError} a full disk
 */
export async function writeFolder(
  folder: string,
  files: Readonly<Record<string, Content | { readonly copy: string }>>,
  overwrite = false,
): Promise<void> {
  if (!overwrite && (await disk.list(folder)).length > 0) {
    throw new OutputError(`${folder}: is there already`, {
      code: 'OUTPUT-EXISTS',
      where: folder,
      fix: 'name another folder, or --overwrite',
    });
  }
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    try {
      await disk.makeFolder(dirname(path));
      if (typeof content === 'object' && 'copy' in content) await copyFile(content.copy, path);
      else await writeFileAtomic(path, content);
    } catch (error) {
      throw systemError(error, path, 'write');
    }
  }
}
