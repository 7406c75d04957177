import { describe, expect, test } from '@jest/globals';
import { ShapeError } from '../../src/core/errors.js';
import {
  broadcastShapes,
  broadcastStrides,
  normalizeAxis,
  numel,
  rowsOf,
  sameShape,
  stridesOf,
} from '../../src/core/shape.js';

test('numel multiplies sizes; a scalar has one element', () => {
  expect(numel([])).toBe(1);
  expect(numel([2, 3, 4])).toBe(24);
  expect(numel([2, 0, 4])).toBe(0);
});

test('strides are row-major', () => {
  expect(stridesOf([])).toEqual([]);
  expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
});

test('sameShape compares rank and sizes', () => {
  expect(sameShape([2, 3], [2, 3])).toBe(true);
  expect(sameShape([2, 3], [2, 3, 1])).toBe(false);
  expect(sameShape([2, 3], [3, 2])).toBe(false);
});

describe('normalizeAxis', () => {
  test('counts negative axes from the back', () => {
    expect(normalizeAxis('op', -1, 3)).toBe(2);
    expect(normalizeAxis('op', 0, 3)).toBe(0);
  });
  test.each([3, -4, 0.5, Number.NaN])('refuses %p of rank 3', (axis) => {
    expect(() => normalizeAxis('op', axis, 3)).toThrow(ShapeError);
  });
});

describe('broadcastShapes', () => {
  test.each([
    [[], [], []],
    [[2, 3], [], [2, 3]],
    [
      [3, 1],
      [1, 4],
      [3, 4],
    ],
    [[4], [2, 3, 4], [2, 3, 4]],
    [
      [0, 3],
      [1, 3],
      [0, 3],
    ],
  ])('%p and %p give %p', (a, b, out) => {
    expect(broadcastShapes('op', a, b)).toEqual(out);
    expect(broadcastShapes('op', b, a)).toEqual(out);
  });
  test('refuses sizes that differ and are not 1, and names op and shapes', () => {
    expect(() => broadcastShapes('add', [2, 3], [4, 3])).toThrow(
      'add: sizes must be equal or 1, aligned at the last axis; got [2, 3] and [4, 3]',
    );
    expect(() => broadcastShapes('add', [0], [2])).toThrow(ShapeError);
  });
});

test('broadcastStrides repeats by a step of 0', () => {
  expect(broadcastStrides([3, 1], [2, 3, 4])).toEqual([0, 1, 0]);
  expect(broadcastStrides([4], [2, 3, 4])).toEqual([0, 0, 1]);
});

test('rowsOf sees everything but the last axis as rows', () => {
  expect(rowsOf([2, 3, 4])).toEqual([6, 4]);
  expect(rowsOf([])).toEqual([1, 1]);
  expect(rowsOf([3, 0])).toEqual([0, 0]);
});
