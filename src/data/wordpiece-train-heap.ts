/**
 * A priority queue of numbers 0, 1, 2, … whose scores may change: a binary heap that knows the place of each item.
 * Where scores are equal, `before` decides, so that the order never depends on how the heap came to be.
 */
export class IndexedHeap {
  readonly #before: (a: number, b: number) => boolean;
  readonly #heap: number[] = [];
  /** [items]: place in the heap, -1 if not in it. */
  readonly #places: number[] = [];
  /** [items] */
  readonly #scores: number[] = [];

  /** @param before whether item a comes before item b at equal scores; a strict total order */
  constructor(before: (a: number, b: number) => boolean) {
    this.#before = before;
  }

  /** The item with the highest score, or -1. */
  get top(): number {
    return this.#heap.length > 0 ? this.#heap[0] : -1;
  }

  score(item: number): number {
    return this.#scores[item];
  }

  /** Puts an item in, or gives it another score. */
  set(item: number, score: number): void {
    while (this.#places.length <= item) {
      this.#places.push(-1);
      this.#scores.push(0);
    }
    const old = this.#scores[item];
    this.#scores[item] = score;
    if (this.#places[item] < 0) {
      this.#places[item] = this.#heap.length;
      this.#heap.push(item);
      this.#up(item);
    } else if (score > old) this.#up(item);
    else if (score < old) this.#down(item);
  }

  /** Takes an item out, if it is in. */
  remove(item: number): void {
    const place = this.#places[item];
    if (place === undefined || place < 0) return;
    const last = this.#heap.pop() as number;
    this.#places[item] = -1;
    if (last === item) return;
    this.#heap[place] = last;
    this.#places[last] = place;
    this.#up(last);
    this.#down(last);
  }

  #first(a: number, b: number): boolean {
    const difference = this.#scores[a] - this.#scores[b];
    return difference > 0 || (difference === 0 && this.#before(a, b));
  }

  #up(item: number): void {
    const heap = this.#heap;
    let place = this.#places[item];
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#first(item, heap[parent])) break;
      heap[place] = heap[parent];
      this.#places[heap[place]] = place;
      place = parent;
    }
    heap[place] = item;
    this.#places[item] = place;
  }

  #down(item: number): void {
    const heap = this.#heap;
    let place = this.#places[item];
    for (let child = 2 * place + 1; child < heap.length; child = 2 * place + 1) {
      if (child + 1 < heap.length && this.#first(heap[child + 1], heap[child])) child++;
      if (!this.#first(heap[child], item)) break;
      heap[place] = heap[child];
      this.#places[heap[place]] = place;
      place = child;
    }
    heap[place] = item;
    this.#places[item] = place;
  }
}
