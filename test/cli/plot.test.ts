import { describe, expect, test } from '@jest/globals';
import { plot } from '../../src/cli/plot.js';
import { width } from '../../src/cli/ui.js';

const curve = Array.from({ length: 50 }, (_, x) => ({ x, y: 8 - x / 10 }));
const levels = [{ name: 'unigram', y: 6 }];

describe('plot', () => {
  test('goes from the upper left to the lower right when a loss falls', () => {
    const lines = plot(curve, [], { columns: 20, rows: 4, xLabel: 'steps' }).split('\n');
    expect(lines).toEqual([
      '   7.39 │⠉⠓⠢⢤⣀',
      '        │     ⠉⠓⠢⢤⣀',
      '        │          ⠉⠓⠢⢤⣀',
      '   3.71 │               ⠉⠓⠢⢤⣀',
      '        └────────────────────',
      '         0           49 steps',
    ]);
  });

  test('names its levels and draws them behind the curve', () => {
    const text = plot(curve, levels, { columns: 20, rows: 8 });
    const [line] = text.split('\n').filter((l) => l.includes('unigram 6.00'));
    expect(line).toContain('┄');
    expect(line).toMatch(/[\u2801-\u28ff]/);
  });

  test('keeps its width', () => {
    for (const line of plot(curve, [], { columns: 30, rows: 6 }).split('\n')) {
      expect(width(line)).toBeLessThanOrEqual(9 + 30);
    }
  });

  test('leaves out what is not finite, and is empty below two points', () => {
    expect(plot([{ x: 0, y: 1 }])).toBe('');
    const holed = curve.map((p) => (p.x === 20 ? { ...p, y: Number.NaN } : p));
    expect(plot(holed)).not.toContain('NaN');
  });

  test('a flat curve is a line, not a division by zero', () => {
    const flat = curve.map(({ x }) => ({ x, y: 2 }));
    expect(plot(flat, [], { rows: 3 })).not.toMatch(/NaN|Infinity/);
  });
});
