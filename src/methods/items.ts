import type { DistilledSet } from '../data/distilled-set.js';
import { type Program, Recorder } from '../engine/program.js';
import type { Decoder } from '../parametrisations/parametrisation.js';
import { copyInto } from '../train/groups.js';

/** What is distilled: pictures that are stored, the items they decode to, and the class of each. */
export interface Items {
  /** `[C, H, W]` of one item. */
  readonly shape: readonly [number, number, number];
  /** K. */
  readonly classes: number;
  /** Stored pictures in all. */
  readonly pictures: number;
  /** `interleaved`: picture i is of class i mod K; `by-class`: those of a class follow one another, as many of each. */
  readonly order: 'interleaved' | 'by-class';
  readonly decoder: Decoder;
  /** First values of the decoder's variables. */
  readonly first: Readonly<Record<string, Float32Array>>;
  /** The parametrisation, for the record. */
  readonly parametrisation: DistilledSet['stored']['parametrisation'];
}

/** Items in all. */
export const itemCount = ({ pictures, decoder }: Omit<Items, 'first'>): number =>
  pictures * decoder.perPicture;

/** `[count]`: the class of every item. */
export function itemClasses(items: Omit<Items, 'first'>): Uint16Array {
  const { pictures, classes, order, decoder } = items;
  return Uint16Array.from({ length: itemCount(items) }, (_, i) => {
    const picture = Math.floor(i / decoder.perPicture);
    return order === 'interleaved' ? picture % classes : Math.floor((picture * classes) / pictures);
  });
}

/** `[count, K]`: 1 for the class of every item. */
export function oneHotLabels(items: Omit<Items, 'first'>): Float32Array {
  const { classes } = items;
  const labels = new Float32Array(itemCount(items) * classes);
  itemClasses(items).forEach((own, i) => {
    labels[i * classes + own] = 1;
  });
  return labels;
}

/** The program that decodes stored variables, each an external tensor of its name, into `items`. */
export function decodingProgram(decoder: Decoder): Program {
  const r = new Recorder('decode');
  const views = Object.entries(decoder.variables).map(([name, shape]) => [name, r.external(name, 1, shape)]);
  const { items } = decoder.decode(r, Object.fromEntries(views));
  copyInto(r, items, r.external('items', 1, items.shape));
  return r.program();
}
