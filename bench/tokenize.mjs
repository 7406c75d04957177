// Text to ids, beside Hugging Face's tokenizers (Rust, npm `tokenizers`) in the same run: MB/s of UTF-8 on one core.
//   node bench/tokenize.mjs [file ...] [--vocab vocab.txt] [--cased] [--rounds 5] [--json file]
// Without files: the English corpora of ../shared/data. "cold" is the first pass of a new tokenizer, "warm" one that has
// seen the text. The ids of all sides are compared before anything is timed.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { parseOptions } from './options.mjs';

process.env.RAYON_NUM_THREADS = '1'; // one core for both sides; read when the library starts
const { values, positionals } = parseOptions({
  allowPositionals: true,
  options: {
    vocab: { type: 'string' },
    cased: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
const { default: hf } = await import('tokenizers');
const { IdBuffer } = await import('../dist/data/id-buffer.js');
const { Tokenizer } = await import('../dist/data/tokenizer.js');
const { Vocab } = await import('../dist/data/vocab.js');

const DATA = fileURLToPath(new URL('../../shared/data', import.meta.url));
const ROUNDS = Number(values.rounds);
/** Lines a call: large enough that the library's own overhead does not count. */
const BATCH = 4096;

function corpusFiles() {
  if (positionals.length > 0) return positionals;
  const novels = `${DATA}/corpora/en_novels`;
  if (!existsSync(novels))
    throw new Error(`no ${novels}; name a file: node bench/tokenize.mjs corpus.txt --vocab vocab.txt`);
  return [...readdirSync(novels).map((name) => `${novels}/${name}`), `${DATA}/corpora/en_sotu.txt.gz`];
}

function linesOf(path) {
  const bytes = readFileSync(path);
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n').filter(Boolean);
}

async function createTheirs(path, vocab) {
  const lowercase = !values.cased;
  const options = { unkToken: '[UNK]', maxInputCharsPerWord: 100, continuingSubwordPrefix: '##' };
  const tokenizer = new hf.Tokenizer(await hf.WordPiece.fromFile(path, options));
  const clean = { cleanText: true, handleChineseChars: true, stripAccents: lowercase, lowercase };
  tokenizer.setNormalizer(hf.bertNormalizer(clean));
  tokenizer.setPreTokenizer(hf.bertPreTokenizer());
  tokenizer.setPostProcessor(hf.bertProcessing(['[SEP]', vocab.sep], ['[CLS]', vocab.cls]));
  return tokenizer;
}

const files = corpusFiles();
const path = values.vocab ?? `${DATA}/vocab/bert-base-${values.cased ? '' : 'un'}cased/vocab.txt`;
const vocab = Vocab.fromBytes(readFileSync(path), path);
const lines = files.flatMap(linesOf);
const megabytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0) / 1e6;
const createOurs = () => new Tokenizer(vocab, { lowercase: !values.cased });
const theirs = await createTheirs(path, vocab);

async function encodeTheirs(visit) {
  for (let i = 0; i < lines.length; i += BATCH) {
    const encodings = await theirs.encodeBatch(lines.slice(i, i + BATCH), { addSpecialTokens: false });
    for (const encoding of encodings) visit(encoding.getIds());
  }
}

function encodeOurs(tokenizer) {
  const out = new IdBuffer(1 << 16);
  for (const line of lines) tokenizer.append(line, out);
  return out.view();
}

async function compare() {
  const ours = encodeOurs(createOurs());
  let at = 0;
  await encodeTheirs((ids) => {
    for (const id of ids) if (ours[at++] !== id) throw new Error(`id ${at - 1} differs: ${ours[at - 1]}, theirs ${id}`);
  });
  if (at !== ours.length) throw new Error(`${ours.length} ids, theirs ${at}`);
  return at;
}

async function seconds(run) {
  const from = performance.now();
  await run();
  return (performance.now() - from) / 1000;
}

const ids = await compare();
const warmed = createOurs();
encodeOurs(warmed);
const times = { 'bertgrad, cold': [], 'bertgrad, warm': [], 'tokenizers (Rust)': [] };
for (let round = 0; round < ROUNDS; round++) {
  times['bertgrad, cold'].push(await seconds(() => encodeOurs(createOurs())));
  times['bertgrad, warm'].push(await seconds(() => encodeOurs(warmed)));
  times['tokenizers (Rust)'].push(await seconds(() => encodeTheirs(() => undefined)));
}

const cpu = cpus()[0]?.model ?? 'unknown CPU';
console.log(
  `${cpu}, one core; ${lines.length} lines, ${megabytes.toFixed(1)} MB, ${ids} ids, all equal; vocabulary ${vocab.size}`,
);
const rows = Object.entries(times).map(([name, list]) => {
  const sorted = [...list].sort((a, b) => a - b);
  const mbs = (s) => megabytes / s;
  return { name, median: mbs(sorted[Math.floor(ROUNDS / 2)]), best: mbs(sorted[0]), worst: mbs(sorted.at(-1)) };
});
const rust = rows.at(-1).median;
for (const { name, median, best, worst } of rows) {
  const range = `${worst.toFixed(1)} to ${best.toFixed(1)}`;
  console.log(`${name.padEnd(18)} ${median.toFixed(1).padStart(6)} MB/s  (${range})  ${(median / rust).toFixed(1)}x`);
}
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ cpu, megabytes, ids, rows }, null, 2)}\n`);
