/** Values by key; of too many, the one that was kept longest ago is dropped. */
export class Recent<T> extends Map<string, T> {
  /** @param drop what is left to do with a value that goes */
  constructor(
    private readonly most: number,
    private readonly drop: (value: T) => void,
  ) {
    super();
  }

  /** Its value; it is the newest now. */
  keep(key: string, value: T): void {
    this.delete(key);
    this.set(key, value);
    if (this.size <= this.most) return;
    const [[oldest, old]] = this;
    this.delete(oldest);
    this.drop(old);
  }

  /** Drops all. */
  forget(): void {
    for (const value of this.values()) this.drop(value);
    this.clear();
  }
}
