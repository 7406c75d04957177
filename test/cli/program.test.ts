import { describe, expect, test } from '@jest/globals';
import { COMMANDS, PATH, run } from '../../src/cli/program.js';
import { version } from '../../src/cli/version.js';

/** What a command line prints and ends with. */
async function cli(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await run(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

/** Words of a command line as a shell cuts them; only double quotes are used here. */
const words = (line: string): string[] => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2] ?? '');

describe('help', () => {
  test.each([[[]], [['--help']], [['-h']], [['help']]])(
    '%j shows the whole path from a text to a model',
    async (argv) => {
      const { code, out, err } = await cli(...argv);
      expect([code, err]).toEqual([0, '']);
      const places = PATH.map(([line]) => out.indexOf(`bertgrad ${line}`));
      expect(places.every((place, i) => place > (places[i - 1] ?? 0))).toBe(true);
      const lines = out.split('\n');
      for (const { name, summary } of COMMANDS) expect(lines).toContain(`  ${name.padEnd(13)}  ${summary}`);
      for (const line of lines) expect(line.length).toBeLessThan(80);
    },
  );

  test.each(COMMANDS.map(({ name }) => name))('%s --help shows an example of the command', async (name) => {
    for (const argv of [
      [name, '--help'],
      ['help', name],
    ]) {
      const { code, out, err } = await cli(...argv);
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain(`Usage: bertgrad ${name}`);
      expect(out).toMatch(new RegExp(`Example[\\s\\S]*bertgrad ${name}`));
    }
  });

  test('--version is that of package.json', async () => {
    expect(await cli('--version')).toEqual({ code: 0, out: `${version()}\n`, err: '' });
    expect(version()).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

describe('the path', () => {
  test.each(PATH.map(([line]) => line))('%s', async (line) => {
    const [name, ...args] = words(line);
    const command = await COMMANDS.find((c) => c.name === name)?.load();
    expect(command).toBeDefined();
    let called = false;
    command?.exitOverride().action(() => {
      called = true;
    });
    await command?.parseAsync(args, { from: 'user' });
    expect(called).toBe(true);
  });
});

describe('a mistake in the command line', () => {
  test.each([
    [['pretrian'], 'USAGE-COMMAND', 'unknown command "pretrian"; did you mean "pretrain"?'],
    [['xyzzy'], 'USAGE-COMMAND', 'unknown command "xyzzy"\n'],
    [['--jsno'], 'USAGE', "unknown option '--jsno'"],
    [['doctor', '--jsno'], 'USAGE', "unknown option '--jsno'; did you mean --json?"],
    [['doctor', '--debgu'], 'USAGE', "unknown option '--debgu'; did you mean --debug?"],
    [['fill-mask'], 'USAGE', "missing required argument 'model'"],
    [
      ['fill-mask', 'm', '--top', 'abc'],
      'USAGE',
      "argument 'abc' is invalid. It must be a whole number from 1 to 1000.",
    ],
    [['fill-mask', 'm', '--top'], 'USAGE', 'argument missing'],
    [['doctor', 'me'], 'USAGE', 'too many arguments'],
    [['pretrain', '--steps', '0'], 'USAGE', 'must be a whole number'],
    [['pretrain', '--stepz', '5'], 'USAGE', "unknown option '--stepz'; did you mean --steps?"],
    [['vocab', 'a.txt', '--size', '1e400'], 'USAGE', 'must be'],
  ])('%j: exit code 2, stdout empty, %s', async (argv, code, what) => {
    const { code: exit, out, err } = await cli(...argv);
    expect([exit, out]).toEqual([2, '']);
    expect(err).toContain(`error[${code}]: `);
    expect(err).toContain(what);
    expect(err).toMatch(/\n {2}fix: {3}.*bertgrad/);
    expect(err.split('\n').length).toBeLessThanOrEqual(6);
  });
});

describe('what a command throws', () => {
  test('is shown in three parts, its stack only with --debug', async () => {
    const plain = await cli('fill-mask', 'no/such/folder', 'a [MASK]');
    expect(plain.code).toBe(66);
    expect(plain.out).toBe('');
    expect(plain.err).toMatch(/^error\[[A-Z-]+\]: .*no\/such\/folder/);
    expect(plain.err).not.toMatch(/\n {4}at /);
    const debug = await cli('fill-mask', 'no/such/folder', 'a [MASK]', '--debug');
    expect(debug.code).toBe(66);
    expect(debug.err).toMatch(/\n {4}at /);
  });
});
