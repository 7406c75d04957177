/** What is used of `benchmark` 2.1.4, which has no types of its own. */
declare module 'benchmark' {
  export interface Deferred {
    readonly benchmark: Benchmark;
    resolve(): void;
  }
  export interface Options {
    readonly defer: true;
    fn(deferred: Deferred): void;
    /** Fewest samples, and seconds to spend. */
    readonly minSamples: number;
    readonly maxTime: number;
    /** Seconds below which it repeats `fn` within a sample, and between two cycles. */
    readonly minTime: number;
    readonly delay: number;
    onComplete(event: { readonly target: Benchmark }): void;
  }
  class Benchmark {
    constructor(name: string, options: Options);
    /** Seconds of a call in each sample. */
    readonly stats: { readonly sample: readonly number[] };
    run(): this;
    abort(): this;
  }
  // biome-ignore lint/style/noDefaultExport: the package has no other
  export default Benchmark;
}
