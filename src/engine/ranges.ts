/** Half-open ranges of whole numbers, apart from each other and in order. */
export class Ranges {
  readonly #ranges: [from: number, to: number][] = [];

  /** Whether one range holds all of `from .. to`. */
  covers(from: number, to: number): boolean {
    return this.#ranges.some((range) => range[0] <= from && to <= range[1]);
  }

  add(from: number, to: number): void {
    const ranges = this.#ranges;
    let first = ranges.length;
    while (first > 0 && ranges[first - 1][1] >= from) first--;
    let end = first;
    while (end < ranges.length && ranges[end][0] <= to) end++;
    const joined = ranges.slice(first, end);
    const start = Math.min(from, ...joined.map((range) => range[0]));
    ranges.splice(first, end - first, [start, Math.max(to, ...joined.map((range) => range[1]))]);
  }
}
