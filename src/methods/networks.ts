import type { Tensor } from '../engine/device.js';
import { together } from '../engine/members.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as gather from '../engine/ops/gather.js';
import * as random from '../engine/ops/random.js';
import type { Recorder } from '../engine/program.js';
import { reshape, type View } from '../engine/view.js';
import { recordInitialise } from '../train/initialise.js';
import { streams } from '../train/streams.js';
import { text } from '../util/option.js';
import type { Owned } from '../util/owned.js';
import type { Setting } from './method.js';

/** Where the networks of a run come from: drawn afresh, or trained before and read from a folder. */
export interface Init {
  /** `fixed`: the same ones in every outer step and in the test; otherwise others are drawn in every step. */
  readonly kind: 'fixed' | 'random';
  /** Where they lie, as `limbeck train --out` left them; without one they are drawn afresh. */
  readonly folder?: string;
}

/** What the text of the option `init` says; undefined for what it may not be. */
export function parseInit(given: unknown): Init | undefined {
  if (given === 'fixed' || given === 'random') return { kind: given };
  const [, word, folder] = (typeof given === 'string' && /^(fixed|pretrained):(.+)$/s.exec(given)) || [];
  return word === undefined ? undefined : { kind: word === 'fixed' ? 'fixed' : 'random', folder };
}

/** The option `init`; which of these a method takes it says itself. */
export type InitText = 'fixed' | 'random' | `pretrained:${string}` | `fixed:${string}`;

/** Networks of a method that draws others in every outer step. */
export const initOption = text<InitText>(
  'random',
  'networks: drawn afresh, or of those in a folder that limbeck train wrote, some held out to choose and test by',
  (given) => (parseInit(given)?.kind === 'random' ? undefined : 'random or pretrained:DIR'),
  { value: 'random|pretrained:DIR' },
);

/** Records the networks of an outer step into theta `[P, count]`: fresh ones, or a draw of those that were trained before. */
export function recordNetworks(
  r: Recorder,
  { network, pretrained }: Setting,
  state: View,
  theta: View,
): void {
  if (!pretrained) {
    recordInitialise(r, network, state, theta, { firstStream: streams.trainingNetworks });
    return;
  }
  const { count } = network;
  const rows = pretrained.parameters.length / count;
  const P = theta.members;
  // A row of a table as an image of one channel, as it is.
  const [gain, shift] = [1, 0].map((value) => elementwise.fill(r, value, r.temporary('as it is', 1, [1])));
  const index = random.batch(r, { state }, { B: P, rows, stream: streams.pretrained });
  const data = r.external('pretrained', 1, [rows, 1, count]);
  gather.images(r, { data, index, gain, shift }, { into: reshape(together(theta), [P, 1, count]) });
}

/** The table that such a draw is of, for the device; none where networks are fresh. */
export async function pretrainedTensors(
  { device, pretrained }: Setting,
  owned: Owned,
): Promise<Readonly<Record<string, Tensor>>> {
  if (!pretrained) return {};
  const { parameters } = pretrained;
  return { pretrained: owned.own(await device.tensor('f32', parameters.length, parameters)) };
}
