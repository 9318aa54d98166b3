/** An accuracy over several networks, in percent; `std` is the sample standard deviation (0 for one network). */
export interface Accuracy {
  /** Percent. */
  readonly mean: number;
  /** Percentage points. */
  readonly std: number;
  /** How many networks (or draws, where nothing is trained). */
  readonly networks: number;
}

export function summarise(values: readonly number[]): Accuracy {
  const networks = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / networks;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: networks > 1 ? Math.sqrt(squares / (networks - 1)) : 0, networks };
}

export function median(values: readonly number[]): number {
  if (!values.length) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Percent of the places in which two lists agree. */
export const percentSame = (a: readonly number[], b: ArrayLike<number>): number =>
  (100 * a.filter((value, i) => value === b[i]).length) / a.length;

/** How many images of class i were taken for class j, `[K][K]`. */
export type Confusion = readonly (readonly number[])[];

/** The sum of the answers of several networks. */
export const together = (networks: readonly Confusion[]): Confusion =>
  networks[0].map((row, i) => row.map((_, j) => total(networks.map((counts) => counts[i][j]))));

/** Percent of the images that were taken for what they are. */
export const percentRight = (counts: Confusion): number =>
  (100 * total(counts.map((row, k) => row[k]))) / total(counts.map(total));

/** The same of the images of each class, `[K]`; null for classes without images, as JSON has it. */
export const percentByClass = (counts: Confusion): (number | null)[] =>
  counts.map((row, k) => (total(row) ? (100 * row[k]) / total(row) : null));

/** What several networks reach on the same images. */
export interface Scores {
  readonly accuracy: Accuracy;
  /** Percent of the images of each class; null where there are none. */
  readonly perClass: readonly (number | null)[];
  /** All answers together. */
  readonly confusion: Confusion;
}

export function scoresOf(answers: readonly Confusion[]): Scores {
  const confusion = together(answers);
  return { accuracy: summarise(answers.map(percentRight)), perClass: percentByClass(confusion), confusion };
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Of a normal distribution: 95 % lie within so many standard deviations. */
const z = 1.96;

/**
 * Between what `percent` of so many test images may be of endless ones: the 95 % interval of Wilson (1927), which holds at 0 and 100 %
 * too, for its middle is nearer to 50 % than `percent` is. It is there however many networks are averaged, for all of them are tested
 * on the same images.
 */
export function testInterval(percent: number, images: number): readonly [low: number, high: number] {
  const p = percent / 100;
  const half = z * Math.sqrt((p * (1 - p)) / images + (z / (2 * images)) ** 2);
  const middle = p + z ** 2 / (2 * images);
  const scale = 100 / (1 + z ** 2 / images);
  // Rounding must not lead out of what there is.
  return [Math.max(0, scale * (middle - half)), Math.min(100, scale * (middle + half))];
}

/** How far `percent` of so many test images may be from that of endless ones, in points: to the farther end of that interval. */
export function testError(percent: number, images: number): number {
  const [low, high] = testInterval(percent, images);
  return Math.max(percent - low, high - percent);
}
