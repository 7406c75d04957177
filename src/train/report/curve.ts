export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The points of one column of pixels. */
interface Column {
  low: Point;
  high: Point;
  sum: number;
  count: number;
}

/** Gathers points by column. @param measure what is summed up */
function columnsOf(
  points: readonly Point[],
  column: (x: number) => number,
  measure: (y: number) => number = (y) => y,
): Map<number, Column> {
  const columns = new Map<number, Column>();
  let at = Number.NaN;
  let here: Column = { low: NOWHERE, high: NOWHERE, sum: 0, count: 0 };
  for (const point of points) {
    const next = Math.round(column(point.x));
    if (next !== at) {
      at = next;
      here = columns.get(at) ?? { low: point, high: point, sum: 0, count: 0 };
      columns.set(at, here);
    }
    if (point.y < here.low.y) here.low = point;
    if (point.y > here.high.y) here.high = point;
    here.sum += measure(point.y);
    here.count++;
  }
  return columns;
}

const NOWHERE: Point = { x: 0, y: 0 };

/**
 * Lowest and highest point of each column of pixels, in order: looks as all the points would.
 * @param points finite
 * @param column pixel of an x
 */
export function thinned(points: readonly Point[], column: (x: number) => number): Point[] {
  return [...columnsOf(points, column).values()].flatMap(({ low, high }) => {
    if (low === high) return [low];
    return low.x < high.x ? [low, high] : [high, low];
  });
}

/**
 * Mean of the points around each column, not shifted in time.
 * @param reach columns to either side
 * @param log takes the geometric mean, as a logarithmic axis asks for
 */
export function smoothed(
  points: readonly Point[],
  column: (x: number) => number,
  { reach, log }: { reach: number; log: boolean },
): Point[] {
  const columns = [...columnsOf(points, column, log ? Math.log : undefined)].sort((a, b) => a[0] - b[0]);
  let [from, to, sum, count] = [0, 0, 0, 0];
  return columns.map(([at, { low, high }]) => {
    const near = Math.min(reach, at - columns[0][0]); // narrow at first, so that a steep beginning keeps its height
    for (; to < columns.length && columns[to][0] <= at + near; to++) {
      sum += columns[to][1].sum;
      count += columns[to][1].count;
    }
    for (; columns[from][0] < at - near; from++) {
      sum -= columns[from][1].sum;
      count -= columns[from][1].count;
    }
    return { x: (low.x + high.x) / 2, y: log ? Math.exp(sum / count) : sum / count };
  });
}
