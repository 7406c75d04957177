import { DataError } from '../core/errors.js';
import { isObject, type Json, type JsonObject } from './json.js';

/** A `tokenizer.json` of BERT's kind, as the two files it replaces. */
export interface TokenizerFiles {
  /** vocab.txt */
  readonly vocab: string;
  /** What tokenizer_config.json says of cutting text. */
  readonly config: JsonObject;
  /** Tokens besides BERT's five that Hugging Face would find in a text before it is cut; here they are not. */
  readonly added: readonly string[];
}

const SPECIALS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

function bad(path: string, what: string): never {
  throw new DataError(`${path}: ${what}`, {
    code: 'DATA-TOKENIZER-JSON',
    where: path,
    fix: "only BERT's kind is read: WordPiece with ##, BertNormalizer, BertPreTokenizer; or put the model's vocab.txt beside it",
  });
}

/** The part of that type, alone or within a sequence; null if the tokenizer has none. */
function partOf(path: string, part: Json | undefined, list: string, type: string): JsonObject | null {
  if (part === null || part === undefined) return null;
  if (!isObject(part)) return bad(path, `${type} expected`);
  const parts = part.type === 'Sequence' ? part[list] : [part];
  const [only, ...others] = Array.isArray(parts) ? parts : [];
  if (isObject(only) && only.type === type && others.length === 0) return only;
  const found = Array.isArray(parts) ? parts.map((p) => (isObject(p) ? p.type : p)).join(', ') : 'nothing';
  return bad(path, `it is made of ${found}, not of ${type}`);
}

function addedTokens(path: string, added: Json | undefined): [token: string, id: number][] {
  return (Array.isArray(added) ? added : []).map((entry) => {
    if (isObject(entry) && typeof entry.content === 'string' && typeof entry.id === 'number')
      return [entry.content, entry.id];
    return bad(path, 'an added token without content or id');
  });
}

/** Tokens by their ids, which must be 0, 1, 2, ... */
function inOrder(path: string, pairs: readonly (readonly [string, Json])[]): string[] {
  const tokens: string[] = [];
  for (const [token, id] of pairs) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= pairs.length)
      bad(path, `the id of ${JSON.stringify(token.slice(0, 40))} is not in 0 .. ${pairs.length - 1}`);
    else if (tokens[id] !== undefined) bad(path, `id ${id} has two tokens`);
    else tokens[id] = token;
  }
  return tokens;
}

/** @throws {DataError} a tokenizer of another kind, or ids that are no sequence */
export function readTokenizerJson(json: JsonObject, path: string): TokenizerFiles {
  const { model } = json;
  if (!isObject(model) || !isObject(model.vocab)) return bad(path, 'it has no model with a vocabulary');
  const { type = 'WordPiece', continuing_subword_prefix: prefix, max_input_chars_per_word: limit = 100 } = model;
  if (type !== 'WordPiece' || prefix !== '##')
    bad(path, `its model is ${JSON.stringify(type)} with ${JSON.stringify(prefix)}`);
  if (limit !== 100) bad(path, `words may have ${JSON.stringify(limit)} characters; 100 is what can be done`);
  const normalizer = partOf(path, json.normalizer, 'normalizers', 'BertNormalizer');
  if (partOf(path, json.pre_tokenizer, 'pretokenizers', 'BertPreTokenizer') === null)
    bad(path, 'it has no BertPreTokenizer');
  if (normalizer?.clean_text !== true) bad(path, 'its text is not cleaned');
  const inside = Object.entries(model.vocab);
  const added = addedTokens(path, json.added_tokens);
  const outside = added.filter(([token]) => !(token in (model.vocab as JsonObject)));
  return {
    vocab: inOrder(path, [...inside, ...outside])
      .map((token) => `${token}\n`)
      .join(''),
    config: {
      do_lower_case: normalizer?.lowercase ?? false,
      strip_accents: normalizer?.strip_accents ?? null,
      tokenize_chinese_chars: normalizer?.handle_chinese_chars ?? true,
    },
    added: added.map(([token]) => token).filter((token) => !SPECIALS.includes(token)),
  };
}

/** `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`, with the ids of the two special tokens. */
function template(id: (token: string) => number): object {
  const special = (token: string, type: number): object => ({ SpecialToken: { id: token, type_id: type } });
  const sequence = (name: string, type: number): object => ({ Sequence: { id: name, type_id: type } });
  const single = [special('[CLS]', 0), sequence('A', 0), special('[SEP]', 0)];
  return {
    type: 'TemplateProcessing',
    single,
    pair: [...single, sequence('B', 1), special('[SEP]', 1)],
    special_tokens: Object.fromEntries(
      ['[CLS]', '[SEP]'].map((token) => [token, { id: token, ids: [id(token)], tokens: [token] }]),
    ),
  };
}

/** The `tokenizer.json` of a vocabulary, for programs that read nothing else: transformers.js, the fast tokenizers. */
export function tokenizerJson(
  tokens: readonly string[],
  options: { readonly lowercase: boolean; readonly stripAccents: boolean; readonly tokenizeChineseChars: boolean },
): object {
  const id = (token: string): number => tokens.indexOf(token);
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const added = SPECIALS.map((content) => ({ id: id(content), content, ...plain, special: true }));
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added.sort((a, b) => a.id - b.id),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: options.tokenizeChineseChars,
      strip_accents: options.stripAccents,
      lowercase: options.lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: template(id),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((token, i) => [token, i])),
    },
  };
}
