import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { LimbeckError } from '../util/errors.js';
import { type OptionTable, type ValuesOf, whole } from '../util/option.js';

/**
 * How items (what networks train on) are made of the numbers that are stored and learned. Every method works with every
 * parametrisation: it sees items and gives their gradient.
 */
export interface Parametrisation<Table extends OptionTable = OptionTable> {
  readonly name: string;
  /** The paper, for reports. */
  readonly source: string;
  readonly options: Table;
  /** Why first items count for nothing, and what to do, where they do. */
  ignoresFirst?(options: ValuesOf<Table>): string | undefined;
  /** Items made of one stored picture. */
  perPicture(options: ValuesOf<Table>): number;
  /** Fixes the sizes: `pictures` stored for items of `shape` `[C, H, W]`. */
  decoder(pictures: number, shape: readonly number[], options: ValuesOf<Table>): Decoder;
}

/** A parametrisation for given sizes. */
export interface Decoder {
  /** Items made of one stored picture. */
  readonly perPicture: number;
  /** Shape of every stored variable, by name. */
  readonly variables: Readonly<Record<string, readonly number[]>>;
  /** The variable that somebody gives and that stays as it is: neither learned nor counted. */
  readonly given?: string;
  /**
   * First values of the variables, from first items `[pictures * perPicture, C, H, W]`: what decodes to them, or comes
   * near.
   */
  encode(items: Float32Array, begun: Begun): Record<string, Float32Array>;
  /**
   * Records the decoding of stored variables. `bars` are where their gradients go: left out, none are wanted. Items of
   * one stored picture follow one another.
   */
  decode(r: Recorder, stored: Readonly<Record<string, View>>, bars?: Readonly<Record<string, View>>): Decoded;
}

/** What first values are made of beside first items. */
export interface Begun {
  /** Of what of them is random. */
  readonly seed: number;
  /** The value of the variable that somebody gives; left out, it is only measured, and any do. */
  readonly given?: Float32Array;
}

/** Recorded items and the way back from their gradient. */
export interface Decoded {
  /** `[pictures * perPicture, C, H, W]`. */
  readonly items: View;
  /** As `items`: where their gradient is to be written, before `backward`; undefined without `bars`. */
  readonly itemsBar?: View;
  /** Records the gradient of the stored variables from `itemsBar`. */
  backward(): void;
}

/** The option of those that make an item of few numbers. */
export const images = whole(4, 'images that are decoded from the storage of one');

/** ERR_OPTION where so many images leave each of them too little. */
export const tooMany = (images: number, expected: string): LimbeckError =>
  new LimbeckError(
    'ERR_OPTION',
    `images is ${images}, expected so few images from the storage of one that ${expected}: give a smaller number`,
  );
