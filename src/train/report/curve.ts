export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The points of one column of pixels. */
interface Column {
  readonly low: Point;
  readonly high: Point;
  readonly sum: number;
  readonly count: number;
}

/** Gathers points by column; those that are not finite are left out. */
function columnsOf(points: readonly Point[], column: (x: number) => number): Map<number, Column> {
  const columns = new Map<number, Column>();
  for (const point of points) {
    if (!Number.isFinite(point.y)) continue;
    const at = Math.round(column(point.x));
    const old = columns.get(at);
    columns.set(
      at,
      old === undefined
        ? { low: point, high: point, sum: point.y, count: 1 }
        : {
            low: point.y < old.low.y ? point : old.low,
            high: point.y > old.high.y ? point : old.high,
            sum: old.sum + point.y,
            count: old.count + 1,
          },
    );
  }
  return columns;
}

/**
 * Lowest and highest point of each column of pixels, in order: looks as all the points would.
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
 */
export function smoothed(points: readonly Point[], column: (x: number) => number, reach: number): Point[] {
  const columns = [...columnsOf(points, column)].sort((a, b) => a[0] - b[0]);
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
    return { x: (low.x + high.x) / 2, y: sum / count };
  });
}
