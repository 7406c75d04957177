// From a bare checkout to something that runs: packages, compiled TypeScript, the C++ addon. Does only what is missing.
// Plain Node without packages, for it runs before there are any.
//   node scripts/setup.mjs           what is missing
//   node scripts/setup.mjs --build   TypeScript and the addon, even when they look up to date; installs nothing
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => join(ROOT, ...parts);
const say = (line) => process.stderr.write(`${line}\n`);

/** Every file below `folder`, as paths from the root. */
function filesBelow(folder) {
  if (!existsSync(at(folder))) return [];
  return readdirSync(at(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** One hash over names and contents: modification times mean nothing after a clone. */
function hashOf(files, ...more) {
  const hash = createHash('sha256').update(JSON.stringify(more));
  for (const file of files) hash.update(`\n${file}\n`).update(readFileSync(at(file)));
  return hash.digest('hex');
}

const readIf = (file) => (existsSync(at(file)) ? readFileSync(at(file), 'utf8') : '');

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
}

const hasCommand = (name) =>
  name.includes('/')
    ? existsSync(name)
    : (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));

const hasPython = () => [process.env.PYTHON, 'python3', 'python'].some((name) => name && hasCommand(name));

/** Packages of the lock file that are absent or of another version. Optional ones depend on the platform. */
function missingPackages() {
  if (!existsSync(at('node_modules/.package-lock.json'))) return ['all of them'];
  const wanted = JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(at('node_modules/.package-lock.json'), 'utf8')).packages;
  return Object.keys(wanted).filter((path) => {
    const { version, optional, devOptional, peer } = wanted[path];
    return path !== '' && !optional && !devOptional && !peer && present[path]?.version !== version;
  });
}

/** @returns {boolean} whether the packages are there */
function installPackages() {
  const missing = missingPackages();
  if (missing.length === 0) return true;
  say(`packages: installing (${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', ...' : ''}) ...`);
  const own = process.env.npm_execpath ?? ''; // the npm that runs us; yarn and pnpm set it too
  const npm = /npm-cli\.c?js$/.test(own) ? [process.execPath, own] : ['npm'];
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = run(npm[0], [...npm.slice(1), ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.status === 0) return true;
  const absent = result.error?.code === 'ENOENT';
  say(absent ? 'packages: there is no npm in the PATH' : 'packages: `npm ci` failed (above); is the network there?');
  return false;
}

/** Removes outputs whose source is gone, so that no stale module is imported; bundles are written anew as a whole. */
function removeOrphans() {
  for (const file of filesBelow('dist').filter((file) => !/^dist.(node|browser)[/\\]/.test(file))) {
    const source = file.replace(/^dist/, 'src').match(/^(.*?)(\.d\.ts|\.js|\.js\.map)$/);
    if (source && !existsSync(at(`${source[1]}.ts`))) rmSync(at(file));
  }
}

/** @returns {boolean} whether all types are right; JavaScript is written either way */
function buildTypeScript(force) {
  const sources = filesBelow('src').filter((file) => file.endsWith('.ts'));
  const complete = sources.every((file) => existsSync(at(file.replace(/^src/, 'dist').replace(/\.ts$/, '.js'))));
  const hash = hashOf([...sources, 'tsconfig.json', 'package-lock.json']);
  if (!force && complete && readIf('dist/.sources') === hash) return true;
  const started = Date.now();
  removeOrphans();
  const options = ['--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo'];
  // Output that vanished would not be written again by an incremental build.
  if (force || !complete) rmSync(at('dist/.tsbuildinfo'), { force: true });
  const result = run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', ...options]);
  if (result.status !== 0) {
    say(`${result.stdout}${result.stderr}`.trimEnd());
    say('typescript: errors (above)');
    return false;
  }
  writeFileSync(at('dist/.sources'), hash);
  say(`typescript: compiled to dist in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return true;
}

/** The library as package.json names it: one file, made of the compiled ones. @returns {boolean} whether it is there */
function buildBundle(force) {
  if (!existsSync(at('dist/node.js'))) return true; // a checkout without the library
  const parts = filesBelow('dist').filter((file) => file.endsWith('.js') && !/^dist.(node|browser)[/\\]/.test(file));
  const hash = hashOf([...parts, 'scripts/build-node.mjs']);
  if (!force && readIf('dist/node/.sources') === hash && existsSync(at('dist/node/bertgrad.js'))) return true;
  const result = run(process.execPath, ['scripts/build-node.mjs']);
  if (result.status !== 0) {
    say(`bundle: not built: ${result.stderr.trim().split('\n').at(-1)}`);
    return false;
  }
  writeFileSync(at('dist/node/.sources'), hash);
  say(`bundle: ${result.stdout.trim()}`);
  return true;
}

const withoutNative = (reason) => {
  say(`native: not built (${reason}); running on the plain JavaScript backend, more than 100 times slower`);
  return false;
};

/** The first line of a failed build that names an error. */
const failureOf = (log) =>
  (
    log.split('\n').find((line) => /\berror\b[: ]|ERR!.*(not|fail)/i.test(line)) ??
    log.trim().split('\n').at(-1) ??
    'no output'
  )
    .trim()
    .slice(0, 160);

/** @returns {boolean} whether the addon is there */
function buildNative(force) {
  if (!existsSync(at('scripts/build-native.mjs'))) return withoutNative('this package carries no C++ sources');
  const sources = [...filesBelow('native'), 'binding.gyp', 'scripts/build-native.mjs'].filter((f) => existsSync(at(f)));
  const hash = hashOf(sources, process.platform, process.arch, process.versions.modules);
  if (!force && readIf('build/.sources') === hash && existsSync(at('build/Release/bertgrad.node'))) return true;
  const compiler = [process.env.CXX, 'g++', 'clang++', 'c++'].find((name) => name && hasCommand(name));
  const absent = [compiler ? '' : 'g++ or clang++', hasCommand('make') ? '' : 'make', hasPython() ? '' : 'python3'];
  const lacking = absent.filter((name) => name !== '').join(', ');
  if (lacking !== '') return withoutNative(`no ${lacking}; on Debian: apt-get install g++ make python3`);
  say(`native: compiling with ${compiler} ...`);
  const started = Date.now();
  const result = run(process.execPath, ['scripts/build-native.mjs'], { maxBuffer: 2 ** 28 });
  const log = `${result.stdout}${result.stderr}`;
  mkdirSync(at('build'), { recursive: true });
  writeFileSync(at('build/native.log'), log);
  if (result.status !== 0) return withoutNative(`${failureOf(log)}; see build/native.log`);
  writeFileSync(at('build/.sources'), hash);
  say(`native: built in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return true;
}

/** @returns what is ready: packages, right types, addon */
export function setup({ force = false, install = true } = {}) {
  const packages = !install || installPackages();
  if (!packages) return { packages, types: false, native: false };
  const types = buildTypeScript(force);
  return { packages, types: types && buildBundle(force), native: buildNative(force) };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const force = process.argv.includes('--build');
  const ready = setup({ force, install: !force });
  if (!ready.packages || !ready.types) process.exitCode = 1;
  else say(`ready: ${ready.native ? 'native and js' : 'js'}`);
}
