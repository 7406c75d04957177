// Where the rows of attention lie: in which sequence, and at which place there.
import type { AttentionCall, Buf } from '../../backend.js';
import { line, type Operand, type PlainKernel, type PlainRunner } from '../spec.js';
import { withScratch } from './scratch.js';

/** The sequence that a row belongs to. */
const SEQUENCE: PlainKernel = {
  name: 'attention sequence',
  params: { offsets: 'i32', sequences: 'int' },
  rank: 1,
  text: `function (offsets, sequences) {
  let found = 0;
  for (let s = 0; s < sequences; s++) {
    if (offsets[s] <= this.thread.x && this.thread.x < offsets[s + 1]) { found = s; }
  }
  return found;
}`,
};

/** The first row of that sequence (part 0), or their number (1). */
const EXTENT: PlainKernel = {
  name: 'attention extent',
  params: { sequence: 'f32', offsets: 'i32', part: 'int' },
  rank: 1,
  text: `function (sequence, offsets, part) {
  const s = sequence[this.thread.x];
  const first = offsets[s];
  const end = offsets[s + 1];
  return part == 0 ? first : end - first;
}`,
};

/** Which row of its sequence a row is: by where the sequence begins, or as it is said. */
const PLACE: PlainKernel = {
  name: 'attention place',
  params: { first: 'f32' },
  rank: 1,
  text: 'function (first) { return this.thread.x - first[this.thread.x]; }',
};
const PLACE_GIVEN: PlainKernel = {
  name: 'attention place given',
  params: { places: 'i32' },
  rank: 1,
  text: 'function (places) { return places[this.thread.x]; }',
};

/** Of each row: its sequence, that sequence's first row and length in `offsets`, and its place there. */
export interface Places {
  readonly sequence: Operand;
  readonly first: Operand;
  readonly size: Operand;
  readonly place: Operand;
}

/**
 * @param own offsets of the rows that are looked at, queries or keys
 * @param other offsets of the rows that each of them meets: keys or queries
 * @param given places of the rows, where they are not all
 */
export function withPlaces(
  runner: PlainRunner,
  { rows, sequences, own, other, given }: { rows: number; sequences: number; own: Buf; other: Buf; given: Buf | null },
  use: (places: Places) => void,
): void {
  withScratch(runner, [rows, rows, rows, rows], ([sequence, first, size, place]) => {
    const output = [rows, 1, 1] as const;
    runner.run(SEQUENCE, [line(own), sequences], output, sequence);
    if (given !== null) runner.run(PLACE_GIVEN, [line(given)], output, place);
    else {
      runner.run(EXTENT, [line(sequence), line(own), 0], output, first);
      runner.run(PLACE, [line(first)], output, place);
    }
    for (const [part, buf] of [first, size].entries()) {
      runner.run(EXTENT, [line(sequence), line(other), part], output, buf);
    }
    use({ sequence: line(sequence), first: line(first), size: line(size), place: line(place) });
  });
}

export function withQueryPlaces(runner: PlainRunner, call: AttentionCall, use: (places: Places) => void): void {
  const { queryRows: rows, sequences, offsets, queries } = call;
  const given = queries?.places ?? null;
  withPlaces(runner, { rows, sequences, own: queries?.offsets ?? offsets, other: offsets, given }, use);
}
