import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, test } from '@jest/globals';

/** What a test may need that a machine may lack. */
const PARTS = [
  'js',
  'native',
  'gpu',
  'tokenizers',
  'data',
  'browser',
  'torch',
  'mpi',
  'minilm',
  'onnxruntime',
] as const;
export type Part = (typeof PARTS)[number];

const isPart = (name: string): name is Part => PARTS.some((part) => part === name);

/** The parts that BG_REQUIRE lists ("js,native"): their tests fail instead of being skipped. */
export function requiredParts(list = process.env.BG_REQUIRE ?? ''): readonly Part[] {
  return list
    .split(',')
    .filter((name) => name !== '')
    .map((name) => {
      if (!isPart(name)) throw new Error(`BG_REQUIRE: unknown part "${name}"; known: ${PARTS.join(', ')}`);
      return name;
    });
}

/**
 * `describeIf(loaded, 'native', 'the addon is not built')('name', () => { ... })`: runs the tests when `condition`
 * holds. Otherwise the body is not even looked at; one skipped test carries the reason, or, where BG_REQUIRE lists
 * `part`, one failing test.
 */
export function describeIf(condition: boolean, part: Part, reason: string): (name: string, body: () => void) => void {
  if (condition) return (name, body) => describe(name, body);
  if (requiredParts().includes(part)) {
    return (name) =>
      describe(name, () => {
        test(`needs ${part}`, () => {
          throw new Error(`BG_REQUIRE lists ${part}, but ${reason}`);
        });
      });
  }
  return (name) => describe(name, () => test.skip(`skipped: ${reason}`, () => undefined));
}

/** A file of the data folder that may lie beside the checkout. */
export const sharedData = (path: string): string => resolve('..', 'shared', 'data', path);

/** Like `describeIf`, for tests that read files of that folder. */
export function describeWithData(...paths: readonly string[]): (name: string, body: () => void) => void {
  const absent = paths.find((path) => !existsSync(sharedData(path)));
  return describeIf(absent === undefined, 'data', `../shared/data/${absent ?? ''} is not there`);
}
