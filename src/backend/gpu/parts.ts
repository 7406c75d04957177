import type { Dims } from './spec.js';

/** What any GPU does in half a second, and a processor that plays one: the first bound, until a trial knows better. */
export const firstBound = (software: boolean): number => (software ? 1e9 : 25e9);

/** Workgroups of a launch, or texels that are drawn, and which of the whole's is the first. */
interface Part {
  readonly first: Dims;
  readonly groups: Dims;
}

/**
 * A launch cut along its longest axis, so that no part does more than `most`: a system takes the device away from one
 * that runs for seconds (Windows after two). Its workgroups do not know of one another, so the bits stay the same.
 */
export function partsOf(groups: Dims, work: number, most: number): readonly Part[] {
  const wanted = Math.ceil(work / most);
  if (!(wanted > 1)) return [{ first: [0, 0, 0], groups }];
  const longest = Math.max(...groups);
  const axis = groups.indexOf(longest);
  const size = Math.ceil(longest / Math.min(wanted, longest));
  return Array.from({ length: Math.ceil(longest / size) }, (_, i) => {
    const [first, count] = [[0, 0, 0], [...groups]];
    first[axis] = i * size;
    count[axis] = Math.min(size, longest - i * size);
    return { first: [first[0], first[1], first[2]], groups: [count[0], count[1], count[2]] };
  });
}
