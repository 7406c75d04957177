import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Block, Heap } from '../../src/backend/native/heap.js';

/** Blocks in use must lie within the range, aligned, without touching one another. */
function expectApart(blocks: readonly Block[], top: number): void {
  let end = 0;
  for (const block of [...blocks].sort((a, b) => a.at - b.at)) {
    expect(block.at % 64).toBe(0);
    expect(block.at).toBeGreaterThanOrEqual(end);
    end = block.at + block.size;
  }
  expect(end).toBe(top);
}

/** Requests of a step: sizes, each given back once two more are there, as activations are. */
function step(heap: Heap, sizes: readonly number[]): void {
  const held: (Block | null)[] = [];
  for (const size of sizes) {
    held.push(heap.take(size));
    if (held.length > 2) heap.give(held.shift() as Block);
  }
  for (const block of held.reverse()) heap.give(block as Block);
}

describe('heap', () => {
  test('random requests never overlap, and all memory comes together again', () => {
    const action = fc.oneof(
      fc.record({ take: fc.integer({ min: 0, max: 5000 }) }),
      fc.record({ give: fc.nat({ max: 1000 }) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const heap = new Heap(0, 64, () => true);
        const held: Block[] = [];
        for (const a of actions) {
          if ('take' in a) {
            const block = heap.take(a.take) as Block;
            expect(block.size).toBeGreaterThanOrEqual(a.take);
            held.push(block);
          } else if (held.length > 0) heap.give(held.splice(a.give % held.length, 1)[0]);
          expectApart(held, heap.top);
        }
        for (const block of held) heap.give(block);
        expect(heap.top).toBe(0);
        expect(heap.take(100)?.at).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  test('free neighbours are joined on both sides', () => {
    const heap = new Heap(0, 64, () => true);
    const [a, b, c] = [64, 64, 64].map((size) => heap.take(size) as Block);
    heap.take(64); // keeps the range from shrinking
    for (const block of [a, c, b]) heap.give(block);
    expect(heap.take(192)).toMatchObject({ at: 0, size: 192 });
  });

  test('the smallest block that is large enough is cut; the rest stays free', () => {
    const heap = new Heap(0, 64, () => true);
    const blocks = [640, 64, 256, 64].map((size) => heap.take(size) as Block);
    heap.give(blocks[0]);
    heap.give(blocks[2]);
    expect(heap.take(128)).toMatchObject({ at: 704, size: 128 });
    expect(heap.take(128)).toMatchObject({ at: 832, size: 128 });
    expect(heap.take(640)).toMatchObject({ at: 0, size: 640 });
  });

  test('knows its gaps of a size and more, and where it ends', () => {
    const heap = new Heap(0, 64, () => true);
    const blocks = [640, 64, 256, 64, 128, 64].map((size) => heap.take(size) as Block);
    for (const i of [0, 2, 4]) heap.give(blocks[i]);
    expect([...heap.gaps(256)]).toEqual([
      [704, 960],
      [0, 640],
      [1216, Number.MAX_SAFE_INTEGER],
    ]);
  });

  test('a step that repeats asks for no more memory', () => {
    const asked: number[] = [];
    const heap = new Heap(0, 64, (bytes) => {
      asked.push(bytes);
      return true;
    });
    heap.take(1000);
    const sizes = [4096, 128, 64, 70000, 4096, 12, 4096, 1 << 20, 99];
    step(heap, sizes);
    const most = Math.max(...asked);
    for (let i = 0; i < 10; i++) step(heap, sizes);
    expect(Math.max(...asked)).toBe(most);
  });

  test('a range may begin anywhere and have a coarser granule', () => {
    const heap = new Heap(8192, 4096, (end) => end <= 20_480);
    expect(heap.take(1)).toMatchObject({ at: 8192, size: 4096 });
    expect(heap.take(5000)).toMatchObject({ at: 12_288, size: 8192 });
    expect(heap.take(1)).toBeNull();
  });

  test('no room gives null and leaves the heap as it was', () => {
    const heap = new Heap(0, 64, (bytes) => bytes <= 1024);
    const block = heap.take(1000) as Block;
    expect(heap.take(1)).toBeNull();
    heap.give(block);
    expect(heap.take(1024)?.at).toBe(0);
  });
});
