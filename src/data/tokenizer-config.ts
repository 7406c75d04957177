import { DataError } from '../core/errors.js';
import type { TokenizerOptions } from './tokenizer.js';

/** Options of the tokenizer under the names that Hugging Face's BertTokenizer gives them, as in tokenizer_config.json. */
export function tokenizerConfigJson(options: TokenizerOptions, modelMaxLength?: number): Record<string, unknown> {
  const { lowercase, stripAccents, tokenizeChineseChars, dialect } = options;
  return {
    tokenizer_class: 'BertTokenizer',
    do_lower_case: lowercase,
    strip_accents: stripAccents ?? null, // null: as do_lower_case
    tokenize_chinese_chars: tokenizeChineseChars ?? true,
    ...(dialect === 'google' ? { dialect } : {}), // ours; others do not know it and pass over it
    ...(modelMaxLength === undefined ? {} : { model_max_length: modelMaxLength }),
    unk_token: '[UNK]',
    sep_token: '[SEP]',
    pad_token: '[PAD]',
    cls_token: '[CLS]',
    mask_token: '[MASK]',
  };
}

/**
 * Reads what a tokenizer_config.json says about cutting text; its other keys do not matter here.
 * @param json an object
 * @param where the file, for messages
 * @throws {DataError} a value of the wrong type
 */
export function parseTokenizerConfig(json: object, where = 'tokenizer_config.json'): TokenizerOptions {
  const given = new Map<string, unknown>(Object.entries(json));
  const flag = (key: string): boolean | undefined => {
    const value = given.get(key) ?? undefined;
    if (value === undefined || typeof value === 'boolean') return value;
    throw new DataError(`"${key}" must be true, false or null; got ${JSON.stringify(value)}`, {
      code: 'DATA-TOKENIZER-CONFIG',
      where,
      fix: 'correct it; an uncased vocabulary has do_lower_case true',
    });
  };
  const stripAccents = flag('strip_accents');
  return {
    lowercase: flag('do_lower_case') ?? true,
    ...(stripAccents === undefined ? {} : { stripAccents }),
    tokenizeChineseChars: flag('tokenize_chinese_chars') ?? true,
    dialect: given.get('dialect') === 'google' ? 'google' : 'hf',
  };
}
