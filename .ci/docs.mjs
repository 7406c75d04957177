// The documents name what is there: relative links, paths in backticks, npm scripts, bertgrad commands and their
// options. Every code of an error stands in docs/errors.md. Examples in TypeScript run. README.md and README.zh.md have the same headings and code blocks. Words that the
// glossary rules out stand nowhere.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
const GLOSSARY = 'docs/glossary.md';
const listed = (pattern) =>
  execFileSync('git', ['ls-files', pattern], { encoding: 'utf8' }).split('\n').filter(existsSync);
const documents = listed('*.md');
const ERRORS = 'docs/errors.md';
/** First cells of the tables there. */
const ERROR_CODES = (existsSync(ERRORS) ? readFileSync(ERRORS, 'utf8') : '')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .flatMap((line) => line.split('|')[1].match(/[A-Z][A-Z0-9]*(-[A-Z0-9]+)*/g) ?? []);
const problems = [];
let checked = 0;

/** Counts one thing looked at, and notes it when it is wrong. */
function expect(ok, document, problem) {
  checked++;
  if (!ok) problems.push(`${document}: ${problem}`);
}

const helpTexts = new Map();
/** The help text of a command, '' where there is none. */
function helpOf(command) {
  if (!helpTexts.has(command)) {
    const { status, stdout } = spawnSync(process.execPath, ['dist/cli/main.js', ...command.split(' '), '--help'], {
      encoding: 'utf8',
    });
    helpTexts.set(command, status === 0 ? stdout : '');
  }
  return helpTexts.get(command);
}

function checkLinks(document, text) {
  for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^(https?:|mailto:|#)/.test(target)) continue;
    const path = join(dirname(document), target.replace(/#.*/, ''));
    expect(existsSync(path), document, `link to ${target}, which is not there`);
  }
}

function checkPaths(document, text) {
  const pattern = /`((?:src|native|docs|test|\.ci|scripts|examples|bench)\/[\w./-]*)(?::\d+)?`/g;
  for (const [, path] of text.matchAll(pattern)) {
    if (/NNN|\bname\b|\.\.\./.test(path)) continue; // a pattern, not a path
    expect(existsSync(path), document, `names ${path}, which is not there`);
  }
}

/** Command lines inside backticks or code blocks; a trailing backslash continues a line. */
function commandLines(text) {
  const code = [...text.matchAll(/```[a-z]*\n([\s\S]*?)```|`([^`\n]+)`/g)].map((match) => match[1] ?? match[2]);
  return code.flatMap((block) => block.replace(/\\\n\s*/g, ' ').split('\n'));
}

function checkCommands(document, text) {
  for (const line of commandLines(text)) {
    const script = line.match(/^\s*npm run ([\w:-]+)/)?.[1];
    if (script !== undefined) expect(script in scripts, document, `npm run ${script} is no script`);
    const [, command, rest] = line.match(/^\s*(?:npx )?bertgrad ([a-z][\w-]*)(.*)/) ?? [];
    if (command === undefined) continue;
    expect(helpOf(command) !== '', document, `bertgrad ${command} is no command`);
    for (const [option] of rest.replace(/#.*/, '').matchAll(/(?<=\s)--[a-z][\w-]*/g)) {
      expect(helpOf(command).includes(option), document, `bertgrad ${command} has no option ${option}`);
    }
  }
}

/** Runs what a reader would paste: it holds no types, and this package knows itself by name. */
function checkExamples(document, text) {
  for (const [, code] of text.matchAll(/```ts\n([\s\S]*?)```/g)) {
    if (!code.includes("from 'bertgrad'")) continue;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
    expect(status === 0, document, `an example fails: ${stderr.split('\n').find((line) => /Error/.test(line))}`);
  }
}

/** Words in the last column of the glossary, which stand for nothing in this project. */
function ruledOut() {
  if (!existsSync(GLOSSARY)) return [];
  const rows = readFileSync(GLOSSARY, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'));
  return rows
    .slice(2)
    .flatMap((row) => row.split('|').at(-2).trim().split('，'))
    .filter((word) => word !== '');
}

function checkWords(file, text, words) {
  for (const word of words) expect(!text.includes(word), file, `"${word}" is ruled out by ${GLOSSARY}`);
}

/** Codes that `source` gives to errors and warnings, as far as they stand there in one piece. */
function codesOf(source) {
  const text = readFileSync(source, 'utf8');
  const named = /(?:\bcode: |formatMessage\('\w+', )'([A-Z][A-Z0-9-]*)'/g;
  const families = new Set(ERROR_CODES.map((code) => code.split('-')[0]));
  const passedOn = [...text.matchAll(/'([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+)'/g)].map((match) => match[1]);
  return [
    ...[...text.matchAll(named)].map((match) => match[1]),
    ...passedOn.filter((code) => families.has(code.split('-')[0])),
  ];
}

function checkCodes(source) {
  for (const code of new Set(codesOf(source)))
    expect(ERROR_CODES.includes(code), source, `${code} is not in ${ERRORS}`);
}

/** Headings by level, and code blocks without their comments: what two languages must share. */
const skeleton = (text) => [
  ...[...text.matchAll(/^(#+) /gm)].map((match) => match[1]),
  ...[...text.matchAll(/```[\s\S]*?```/g)].map(([block]) =>
    block.replace(/(#|\/\/).*$/gm, '').replace(/[ \t]+$/gm, ''),
  ),
];

const words = ruledOut();
for (const document of documents) {
  const text = readFileSync(document, 'utf8');
  checkLinks(document, text);
  checkPaths(document, text);
  checkCommands(document, text);
  checkExamples(document, text);
  if (document !== GLOSSARY) checkWords(document, text, words);
}
for (const source of listed('src/*.ts')) {
  checkWords(source, readFileSync(source, 'utf8'), words);
  if (ERROR_CODES.length > 0) checkCodes(source);
}
const [english, chinese] = ['README.md', 'README.zh.md'].map((name) => readFileSync(name, 'utf8'));
const same = JSON.stringify(skeleton(english)) === JSON.stringify(skeleton(chinese));
expect(same, 'README.zh.md', 'headings or code blocks differ from README.md');

for (const problem of problems) console.log(problem);
console.log(`documents: ${documents.length}, ${checked} references, ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);
