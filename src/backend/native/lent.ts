/** A stretch of memory that others have: from `time` on, or until then. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly time: number;
}

/** Bytes of the arena. */
export type Stretch = Pick<Span, 'from' | 'to'>;

/**
 * Memory that a recording may use for its buffers until it first writes what shall stand there: gradients are not there
 * before the walk back comes to them, and activations are gone by then. Times are places in the list of commands.
 */
export class LentMemory {
  /** From when on each part is what it is for, by its first and last byte. */
  private readonly uses = new Map<string, Span>();
  /** Buffers that lie here, until they are freed. */
  private guests: readonly Span[] = [];

  /** @param page buffers begin at multiples of it */
  constructor(
    private readonly stretches: readonly Stretch[],
    private readonly page: number,
  ) {}

  /** A command at `time` reads or writes what these bytes are for; times rise. */
  use(from: number, to: number, time: number): void {
    if (!this.stretches.some((stretch) => from >= stretch.from && from < stretch.to)) return;
    const part = `${from} ${to}`;
    if (!this.uses.has(part)) this.uses.set(part, { from, to, time });
  }

  /**
   * A place for a buffer, once all uses are known.
   * @param birth when it is allocated: births rise from call to call
   * @param death when it is freed
   * @returns its first byte; null where there is no room
   */
  take(size: number, birth: number, death: number): number | null {
    this.guests = this.guests.filter((guest) => guest.time > birth);
    const used = [...this.uses.values()].filter((use) => use.time < death);
    const taken = [...used, ...this.guests].sort((a, b) => a.from - b.from);
    for (const stretch of this.stretches) {
      const from = this.firstGap(size, stretch.from, taken);
      if (from + size > stretch.to) continue;
      this.guests = [...this.guests, { from, to: from + size, time: death }];
      return from;
    }
    return null;
  }

  private firstGap(size: number, start: number, taken: readonly Span[]): number {
    let from = this.roundUp(start);
    for (const span of taken) {
      if (span.from >= from + size) break;
      from = Math.max(from, this.roundUp(span.to));
    }
    return from;
  }

  private roundUp(place: number): number {
    return Math.ceil(place / this.page) * this.page;
  }
}
