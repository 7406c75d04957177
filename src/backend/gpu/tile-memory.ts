/** What trials have chosen on an adapter: it need not be tried again. */
export interface TileMemory {
  /** Where it is kept, for people. */
  readonly place: string;
  readonly size: number;
  get(key: string): string | undefined;
  set(key: string, choice: string): void;
  /** Keeps what was set, as far as that can be done. */
  save(): void;
}

/** For as long as the page or the process lives. */
export function shortMemory(): TileMemory {
  const known = new Map<string, string>();
  return {
    place: 'memory',
    get size() {
      return known.size;
    },
    get: (key) => known.get(key),
    set: (key, choice) => void known.set(key, choice),
    save: () => undefined,
  };
}
