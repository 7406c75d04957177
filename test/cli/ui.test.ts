import { describe, expect, test } from '@jest/globals';
import {
  around,
  bytes,
  clip,
  count,
  hasColor,
  isLive,
  pad,
  painter,
  percent,
  share,
  sparkline,
  table,
  time,
  unit,
  width,
  wrap,
} from '../../src/cli/ui.js';

const red = (text: string): string => `\u001b[31m${text}\u001b[39m`;

describe('columns', () => {
  test.each([
    ['abc', 3],
    ['我爱吃饭', 8],
    ['，。！', 6],
    ['日本語とカナ', 12],
    ['한국어', 6],
    ['e\u0301', 1],
    ['\u{20000}', 2],
    ['🎉', 2],
    ['┄│⠳━', 4],
    [red('我'), 2],
    ['', 0],
  ])('of %j: %i', (text, columns) => expect(width(text)).toBe(columns));

  test('pad counts columns, not characters', () => {
    expect(pad('饭', 4)).toBe('饭  ');
    expect(pad('12', 4, 'left')).toBe('  12');
    expect(pad('too long', 3)).toBe('too long');
  });

  test('clip never exceeds, and never cuts a wide character in half', () => {
    expect(clip('abcdef', 6)).toBe('abcdef');
    expect(clip('abcdefg', 6)).toBe('abcde…');
    for (let columns = 1; columns < 12; columns++) {
      expect(width(clip('我a爱b吃c饭', columns))).toBeLessThanOrEqual(columns);
    }
    expect(clip('我爱吃饭', 5)).toBe('我爱…');
  });

  test('clip keeps colours and closes them', () => {
    const text = clip(red('abcdef'), 4);
    expect(text).toBe(red('abc…'));
  });

  test('around keeps the mark in sight', () => {
    const text = '鲁迅是一位伟大的[MASK]学家，他写了很多短篇小说和杂文';
    for (let columns = 12; columns < 60; columns++) {
      const shown = around(text, '[MASK]', columns);
      expect(shown).toContain('[MASK]');
      expect(width(shown)).toBeLessThanOrEqual(columns);
    }
    expect(around('short [MASK]', '[MASK]', 40)).toBe('short [MASK]');
    expect(around('no mark here', '[MASK]', 6)).toBe('no ma…');
    expect(around('[MASK] stands in front of all', '[MASK]', 14)).toBe('[MASK] stand…');
  });

  test('wrap breaks at blanks and indents what follows', () => {
    expect(wrap('one two three four', 9, 2)).toBe('one two\n  three\n  four');
    expect(wrap('  label   我 爱 吃 饭 我 爱', 16, 10)).toBe('  label   我 爱\n          吃 饭\n          我 爱');
    expect(wrap('anunbreakableword x', 5, 1)).toBe('anunbreakableword\n x');
    expect(wrap('as it is', Number.POSITIVE_INFINITY, 2)).toBe('as it is');
  });

  test('a table with Chinese lines up', () => {
    const lines = table(
      ['', 'step 0'],
      [
        ['我爱吃[MASK]。', '饭 .61'],
        ['a', 'b'],
      ],
    ).split('\n');
    expect(new Set(lines.map(width)).size).toBe(1);
  });
});

describe('numbers', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [0.5, '0.5'],
    [999.6, '1.0k'],
    [1234, '1.2k'],
    [99_949, '99.9k'],
    [150_000, '150k'],
    [999_700, '1.0M'],
    [11_300_000, '11.3M'],
    [2.5e12, '2.5T'],
  ])('count(%d) is %s', (n, text) => expect(count(n)).toBe(text));

  test('units', () => {
    expect(unit(26.3e9, 'FLOP')).toBe('26.3 GFLOP');
    expect(bytes(512)).toBe('512 B');
    expect(bytes(4.3e9)).toBe('4.3 GB');
  });

  test.each([
    [0, '00:00'],
    [42.4, '00:42'],
    [255, '04:15'],
    [3723, '1:02:03'],
    [Number.NaN, '--:--'],
    [Number.POSITIVE_INFINITY, '--:--'],
  ])('time(%d) is %s', (seconds, text) => expect(time(seconds)).toBe(text));

  test('shares keep three places', () => {
    expect([0, 0.5124, 0.9994, 0.9996, 1, Number.NaN].map(share)).toEqual([
      '.000',
      '.512',
      '.999',
      '1.00',
      '1.00',
      '–',
    ]);
    expect([0, 0.031, 0.0996, 0.5, 1].map(percent)).toEqual(['0.0 %', '3.1 %', '10 %', '50 %', '100 %']);
  });

  test('sparkline: the last values, lowest to highest', () => {
    expect(sparkline([1, 2, 3, 4, 5, 6, 7, 8])).toBe('▁▂▃▄▅▆▇█');
    expect(sparkline([9, 9, 1, 3], 2)).toBe('▁█');
    expect(sparkline([2, Number.NaN, 2])).toBe('▄▄');
    expect(sparkline([])).toBe('');
  });
});

describe('terminals', () => {
  test('are drawn on when somebody looks', () => {
    expect(isLive({ isTTY: true }, {})).toBe(true);
    expect(isLive({}, {})).toBe(false);
    expect(isLive({ isTTY: true }, { CI: '1' })).toBe(false);
    expect(isLive({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
  });

  test('have colours unless told not to', () => {
    expect(hasColor({ isTTY: true }, {})).toBe(true);
    expect(hasColor({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
    expect(hasColor({ isTTY: false }, {})).toBe(false);
    expect(painter(false)('red', 'x')).toBe('x');
    expect(painter(true)('red', 'x')).toBe(red('x'));
  });
});
