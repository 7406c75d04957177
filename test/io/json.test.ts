import { describe, expect, test } from '@jest/globals';
import { type JsonLimits, JsonSyntaxError, parseJson } from '../../src/io/json.js';

describe('agrees with JSON.parse', () => {
  test.each([
    '{}',
    '[]',
    ' \t\r\n[ 1 , -0.5e-3 , 1E2, "x" , true , false , null , { "a" : [ ] } ] ',
    '"\\u0041\\n\\"\\\\\\/😀\\ud83d"',
    '-0',
    '{"a":{"b":[{}]},"":0}',
    '9007199254740991',
    '1e308',
  ])('%s', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  test.each([
    '',
    ' ',
    '{',
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    "{'a':1}",
    '01',
    '+1',
    '.5',
    '1.',
    '1e',
    'NaN',
    'tru',
    '"a',
    '"\t"',
    '"\\x41"',
    '"\\u12"',
    '[1 2]',
    '{"a" 1}',
    '1 2',
    '\ufeff1',
    '[1}',
    'undefined',
  ])('%j is refused', (text) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(() => parseJson(text)).toThrow(JsonSyntaxError);
  });
});

describe('is stricter', () => {
  const cases: [string, string, JsonLimits, string, number][] = [
    ['duplicate keys', '{"a":1,"a":1}', {}, 'the key "a" stands there twice', 10],
    ['integers above 2^53', '[9007199254740993]', {}, '9007199254740993 cannot be held exactly', 1],
    ['overflow', '1e400', {}, '1e400 cannot be held exactly', 0],
    ['depth', `${'['.repeat(33)}`, {}, 'nested deeper than 32', 32],
    ['depth of a million', '['.repeat(1e6), {}, 'nested deeper than 32', 32],
    ['values', '[1,2,3]', { values: 3 }, 'more than 3 values', 5],
    ['a point where a count is wanted', '[1.0]', { countsOnly: true }, '1.0 is not a count', 1],
  ];
  test.each(cases)('%s', (_, text, limits, message, offset) => {
    let caught: unknown;
    try {
      parseJson(text, limits);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(JsonSyntaxError);
    expect([(caught as JsonSyntaxError).message, (caught as JsonSyntaxError).offset]).toEqual([message, offset]);
  });

  test('__proto__ is a key like any other', () => {
    const object = parseJson('{"__proto__":{"x":1},"constructor":2}') as object;
    expect(Object.keys(object)).toEqual(['__proto__', 'constructor']);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});
