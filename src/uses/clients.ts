import { classCounts, labelsOf } from '../data/classes.js';
import type { Dataset, Split } from '../data/dataset.js';
import { rowsOf } from '../data/hold-out.js';
import type { LabelledRows } from '../data/selection/random-rows.js';
import { joined } from '../util/joined.js';
import { permutation, type Stream } from '../util/random.js';

/** One of those among whom training images are divided. */
export interface Client {
  /** Its training images, and the classes of the whole data set. */
  readonly data: Dataset;
  /** Training images of each class, `[K]`. */
  readonly counts: readonly number[];
}

/**
 * Training images divided among clients as McMahan et al. (2017) do: sorted by class, cut into `classesEach` pieces a client, and dealt out
 * at random; all clients have images of all classes where `classesEach` is undefined.
 */
export function clientsOf(
  dataset: Dataset,
  clients: number,
  classesEach: number | undefined,
  stream: Stream,
): Client[] {
  const { train } = dataset;
  const rows = [...permutation(stream, train.count)];
  const pieces = clients * (classesEach ?? 1);
  if (classesEach !== undefined) rows.sort((a, b) => train.labels[a] - train.labels[b]);
  const dealt = [...permutation(stream, pieces)];
  const cut = (piece: number) => Math.round((piece * rows.length) / pieces);
  return Array.from({ length: clients }, (_, client) => {
    const own = dealt
      .filter((_, place) => place % clients === client)
      .flatMap((piece) => rows.slice(cut(piece), cut(piece + 1)));
    const split = rowsOf(train, own);
    return { data: { ...dataset, train: split }, counts: classCounts(split.labels, dataset.classes) };
  });
}

/** What a client distils: its training images of these classes alone, which are numbered from 0 on. */
export function ofTheseClasses(dataset: Dataset, classes: readonly number[]): Dataset {
  const number = new Map(classes.map((k, i) => [k, i]));
  const part = (split: Split): Split => {
    const rows = [...split.labels.keys()].filter((row) => number.has(split.labels[row]));
    const own = rowsOf(split, rows);
    return { ...own, labels: labelsOf([...own.labels].map((k) => number.get(k)!)) };
  };
  return {
    ...dataset,
    classes: classes.length,
    classNames: classes.map((k) => dataset.classNames[k]),
    train: part(dataset.train),
    validation: part(dataset.validation),
    test: part(dataset.test),
  };
}

/** Rows of `classes` with the numbers and labels of all K classes. */
export function amongAll(
  { images, classes, labels }: LabelledRows,
  of: readonly number[],
  K: number,
): LabelledRows {
  const n = classes.length;
  const wide = new Float32Array(n * K);
  for (let i = 0; i < n; i++) for (const [j, k] of of.entries()) wide[i * K + k] = labels[i * of.length + j];
  return { images, classes: classes.map((k) => of[k]), labels: wide };
}

/** Rows of several, one after another. */
export function joinedRows(all: readonly LabelledRows[]): LabelledRows {
  return {
    images: joined(
      Float32Array,
      all.map(({ images }) => images),
    ),
    labels: joined(
      Float32Array,
      all.map(({ labels }) => labels),
    ),
    classes: Uint16Array.from(all.flatMap(({ classes }) => [...classes])),
  };
}
