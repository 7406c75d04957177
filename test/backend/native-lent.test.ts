import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LentMemory } from '../../src/backend/native/lent.js';
import { Plan } from '../../src/backend/native/plan.js';

describe('memory that is lent', () => {
  const lent = (): LentMemory => new LentMemory([{ from: 100, to: 500 }], 100);

  test('is free until it is used, for buffers that are gone by then', () => {
    const memory = lent();
    memory.use(100, 250, 7);
    memory.use(100, 500, 20);
    expect(memory.take(100, 0, 8)).toBe(300);
    expect(memory.take(100, 1, 7)).toBe(100);
    expect(memory.take(100, 1, 21)).toBeNull();
    expect(memory.take(300, 1, 5)).toBeNull();
    expect(memory.take(300, 8, 8)).toBeNull(); // what is used at 7 stays used
    expect(memory.take(200, 8, 20)).toBe(300);
  });

  test('elsewhere is nobody’s concern', () => {
    const memory = lent();
    memory.use(0, 50, 1);
    memory.use(500, 600, 1);
    expect(memory.take(400, 0, 9)).toBe(100);
    expect(memory.take(1, 8, 9)).toBeNull();
  });
});

describe('plan', () => {
  /** A buffer, allocated and freed between commands, or a use of what is lent. */
  const event = fc.oneof(
    fc.record({ bytes: fc.integer({ min: 0, max: 900 }), life: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ from: fc.integer({ min: 0, max: 19 }), parts: fc.integer({ min: 1, max: 5 }) }),
  );

  test('no two buffers that are there together touch, nor does one touch what is lent and in use', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 80 }), (events) => {
        let now = 0;
        const memory = new LentMemory([{ from: 10_000, to: 12_000 }], 100);
        const plan = new Plan(10, 100, 200, memory, () => now);
        const made: { at: number; bytes: number; birth: number; death: number }[] = [];
        const ends: { time: number; give: () => void }[] = [];
        const uses: { from: number; to: number; time: number }[] = [];
        const end = (): void => {
          for (const { give } of ends.filter(({ time }) => time === now)) give();
        };
        for (const e of events) {
          end();
          if ('bytes' in e) {
            const block = plan.take(e.bytes);
            made.push({ at: block.at, bytes: e.bytes, birth: now, death: now + e.life });
            ends.push({ time: now + e.life, give: () => plan.give(block) });
          } else {
            const from = 10_000 + 100 * e.from;
            uses.push({ from, to: Math.min(12_000, from + 100 * e.parts), time: now });
            memory.use(from, Math.min(12_000, from + 100 * e.parts), now);
          }
          now++;
        }
        for (const last = now + 13; now < last; now++) end();
        expect(plan.live).toBe(0);
        plan.arrange();
        const placed = made.map((block) => ({ ...block, from: plan.resolve(block.at, 1_000_000) }));
        for (const [i, a] of placed.entries()) {
          const isLent = a.from < 1_000_000;
          expect(a.from + a.bytes).toBeLessThanOrEqual(isLent ? 12_000 : 1_000_000 + plan.bytes);
          const touches = (from: number, to: number): boolean => a.bytes > 0 && a.from < to && from < a.from + a.bytes;
          for (const b of placed.slice(i + 1)) {
            const together = a.birth < b.death && b.birth < a.death;
            expect(together && b.bytes > 0 && touches(b.from, b.from + b.bytes)).toBe(false);
          }
          for (const use of uses) expect(use.time < a.death && touches(use.from, use.to)).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
  });
});
