// Code lines (neither blank nor comment nor an op's `doc`) against the ceilings of size.json.
//   node .ci/size.mjs [ref]   also shows what changed since a commit (default HEAD)
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from '@swc/core';

const limits = JSON.parse(readFileSync(new URL('size.json', import.meta.url), 'utf8'));
const TYPESCRIPT = /\.(ts|mjs)$/;
const NATIVE = /\.(cc|h|inl)$/;
const FUNCTIONS = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'ClassMethod',
  'PrivateMethod',
  'Constructor',
  'MethodProperty',
  'GetterProperty',
  'SetterProperty',
]);

/** What the parser knows: functions, literals (where `//` is no comment), and `doc` properties. Spans in bytes. */
function parseTypeScript(text) {
  const found = { functions: [], literals: [], docs: [] };
  const span = ({ start, end }) => ({ start: start - 1, end: end - 1 }); // the parser counts from 1
  const visit = (node, name) => {
    if (Array.isArray(node)) for (const item of node) visit(item, name);
    if (node === null || typeof node !== 'object' || Array.isArray(node)) return;
    const own = node.identifier?.value ?? node.key?.value ?? name;
    if (FUNCTIONS.has(node.type) && node.span) {
      found.functions.push({ ...span(node.span ?? node.function.span), name: own ?? '(anonymous)' });
    }
    if (/^(StringLiteral|TemplateElement|RegExpLiteral)$/.test(node.type)) found.literals.push(span(node.span));
    if (node.type === 'KeyValueProperty' && node.key.value === 'doc') {
      found.docs.push({ start: node.key.span.start - 1, end: endOf(node.value) - 1 });
    }
    const inner = node.type === 'VariableDeclarator' ? node.id.value : own;
    for (const key of Object.keys(node)) if (key !== 'span') visit(node[key], inner);
  };
  visit(parseSync(text, { syntax: 'typescript', target: 'es2022' }).body, undefined);
  return found;
}

const endOf = (node) => node.span?.end ?? 0;

/** Spans of string and character literals in C++; raw strings are not used there. */
function literalsOfNative(text) {
  const literals = [];
  const pattern = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'/g;
  for (const match of text.matchAll(pattern)) {
    if (match[0][0] !== '/') literals.push({ start: match.index, end: match.index + match[0].length });
  }
  return literals;
}

/** The text with every character of the spans that is not a line end made blank. */
function blank(text, spans) {
  let out = '';
  let from = 0;
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    if (start < from) continue;
    out += text.slice(from, start) + text.slice(start, end).replace(/[^\n]/g, ' ');
    from = end;
  }
  return out + text.slice(from);
}

/** Spans of comments: what looks like one outside literals. */
function commentsOf(text, literals) {
  const masked = blank(text, literals);
  return [...masked.matchAll(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g)].map((m) => ({
    start: m.index,
    end: m.index + m[0].length,
  }));
}

/** Outermost braces that follow a parameter list, whatever namespaces and structs they stand in. */
function functionsOfNative(code) {
  const functions = [];
  const open = []; // per brace: the start of a function, or -1 for a scope
  let head = 0;
  for (let i = 0; i < code.length; i++) {
    if (code[i] === '{') {
      const header = code.slice(head, i).trim();
      const inside = open.some((start) => start >= 0);
      const name = header.match(/([\w:~]+)\s*\([\s\S]*\)\s*(?:const|noexcept|override|:[\s\S]*)?\s*$/)?.[1];
      open.push(!inside && name !== undefined && !/^\s*(namespace|enum)\b/.test(header) ? head : -1);
      if (open.at(-1) >= 0) functions.push({ start: i, end: 0, name });
      head = i + 1;
    } else if (code[i] === '}') {
      if ((open.pop() ?? -1) >= 0) functions.at(-1).end = i + 1;
      head = i + 1;
    } else if (code[i] === ';') head = i + 1;
  }
  return functions;
}

const codeLines = (text) => text.split('\n').filter((line) => line.trim() !== '').length;

/** @returns code lines of a file and of each of its functions */
function measure(path, source) {
  const text = Buffer.from(source, 'utf8').toString('latin1').replace(/^#!.*/, ''); // byte offsets, as the parser's
  const parsed = TYPESCRIPT.test(path) ? parseTypeScript(source.replace(/^#!.*/, '')) : undefined;
  const literals = parsed?.literals ?? literalsOfNative(text);
  const code = blank(text, [...commentsOf(text, literals), ...(parsed?.docs ?? [])]);
  const quiet = parsed ? code : blank(code, literals);
  const functions = (parsed?.functions ?? functionsOfNative(quiet)).map(({ start, end, name }) => {
    const body = code.slice(start, end);
    return { path, name, lines: codeLines(body) };
  });
  return { path, lines: codeLines(code), functions };
}

const counted = (path) =>
  limits.folders.some((folder) => path.startsWith(`${folder}/`)) && (TYPESCRIPT.test(path) || NATIVE.test(path));

const groupOf = (path) =>
  Object.keys(limits.groups).find((name) =>
    limits.groups[name].folders.some((folder) => path.startsWith(`${folder}/`)),
  );

function filesNow() {
  return limits.folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, name)))
    .filter((path) => !path.includes('node_modules')) // peers of bench/ are not ours
    .filter(counted)
    .map((path) => measure(path, readFileSync(path, 'utf8')));
}

const git = (...args) =>
  execFileSync('git', args, { encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'ignore'] });

/** Lines of each group at a commit; null where there is no such commit. */
function groupsAt(ref) {
  try {
    const paths = git('ls-tree', '-r', '--name-only', ref).split('\n').filter(counted);
    return totals(paths.map((path) => measure(path, git('show', `${ref}:${path}`))));
  } catch {
    return null;
  }
}

function totals(files) {
  const sums = Object.fromEntries(Object.keys(limits.groups).map((name) => [name, 0]));
  for (const { path, lines } of files) if (groupOf(path)) sums[groupOf(path)] += lines;
  return sums;
}

function printGroups(now, before) {
  console.log('part        lines  ceiling   change');
  for (const [name, { ceiling }] of Object.entries(limits.groups)) {
    const change = before === null ? '-' : now[name] - before[name];
    const columns = [name.padEnd(10), String(now[name]).padStart(6), String(ceiling).padStart(8)];
    console.log(`${columns.join(' ')} ${String(change > 0 ? `+${change}` : change).padStart(8)}`);
  }
}

/** The longest few, for people; the offenders, for the exit code. */
function printLongest(title, items, limit) {
  const sorted = items.sort((a, b) => b.lines - a.lines);
  const over = sorted.filter(({ lines }) => lines > limit);
  console.log(`longest ${title} (at most ${limit}):`);
  for (const { path, name, lines } of sorted.slice(0, Math.max(3, over.length))) {
    console.log(
      `${lines > limit ? '  OVER' : '      '} ${String(lines).padStart(4)}  ${path}${name ? ` ${name}` : ''}`,
    );
  }
  return over.length;
}

const files = filesNow();
const now = totals(files);
printGroups(now, groupsAt(process.argv[2] ?? 'HEAD'));
const tooLong =
  printLongest('files', files, limits.linesPerFile) +
  printLongest(
    'functions',
    files.flatMap(({ functions }) => functions),
    limits.linesPerFunction,
  );
const tooMuch = Object.entries(limits.groups).filter(([name, { ceiling }]) => now[name] > ceiling);
for (const [name, { ceiling }] of tooMuch) {
  console.log(
    `${name}: ${now[name]} lines, ceiling ${ceiling}; make it smaller, or raise it in .ci/size.json and say why`,
  );
}
process.exit(tooLong + tooMuch.length > 0 ? 1 : 0);
