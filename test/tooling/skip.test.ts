import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { describeIf, requiredParts } from '../skip.js';

describe('requiredParts', () => {
  test('reads a list', () => {
    expect(requiredParts('')).toEqual([]);
    expect(requiredParts('js,native')).toEqual(['js', 'native']);
  });

  test('refuses an unknown part', () => {
    expect(() => requiredParts('js,natve')).toThrow('unknown part "natve"');
  });
});

describeIf(
  true,
  'js',
  'never',
)('describeIf', () => {
  test('runs what is there', () => {
    expect(true).toBe(true);
  });
});

describe('the realm of tests', () => {
  test('shares typed arrays and recognises errors of both contexts', async () => {
    const bytes = await readFile('package.json');
    expect(bytes).toBeInstanceOf(Uint8Array);
    expect(new Float32Array(2).slice()).toBeInstanceOf(Float32Array);
    await expect(readFile('no such file')).rejects.toBeInstanceOf(Error);
    expect(() => JSON.parse('{')).toThrow(SyntaxError);
    class Own extends Error {}
    expect(new Own('x')).toBeInstanceOf(Error);
    expect(new Error('x')).not.toBeInstanceOf(Own);
  });
});
