import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DataError } from '../core/errors.js';
import { Tokenizer, type TokenizerOptions } from '../data/tokenizer.js';
import { parseTokenizerConfig } from '../data/tokenizer-config.js';
import { Vocab } from '../data/vocab.js';
import { disk, readJsonFile } from '../io/files.js';
import { systemError } from '../io/system-errors.js';

/** The file beside a vocabulary that says how text is cut, as Hugging Face has it. */
export const CONFIG_NAME = 'tokenizer_config.json';
/** A million tokens of 60 bytes. */
const LARGEST_VOCAB = 64e6;

/**
 * The tokenizer of a vocabulary and of the tokenizer_config.json beside it; without one text is lower-cased.
 * @param cased overrules that file: case and accents stay
 * @throws {InputError} missing or unreadable; {DataError} not a vocabulary: the line is named
 */
export async function loadTokenizer(path: string, cased = false): Promise<Tokenizer> {
  const vocab = await readVocab(path);
  const folder = dirname(path);
  const config = join(folder, CONFIG_NAME);
  const beside = (await disk.list(folder)).includes(CONFIG_NAME);
  const found: TokenizerOptions = beside
    ? parseTokenizerConfig(await readJsonFile(config), config)
    : { lowercase: true };
  return new Tokenizer(vocab, cased ? { ...found, lowercase: false, stripAccents: false } : found);
}

async function readVocab(path: string): Promise<Vocab> {
  try {
    const { size } = await stat(path);
    if (size > LARGEST_VOCAB) {
      const what = `${path}: ${size} bytes are more than a vocabulary can have (${LARGEST_VOCAB})`;
      throw new DataError(what, { code: 'DATA-VOCAB', fix: 'is this a corpus?' });
    }
    return Vocab.fromBytes(await readFile(path), path);
  } catch (error) {
    throw systemError(error, path, 'read');
  }
}
