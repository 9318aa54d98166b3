import type { DistilledSet, PretrainedNetworks } from '../data/distilled-set.js';
import { createNetwork, type Network, type NetworkOptions } from '../networks/index.js';
import { networkTitle } from '../networks/spec.js';
import { crc32 } from '../util/crc32.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { shown } from '../util/expect.js';
import { counted } from '../util/words.js';
import { type Model, networksIn } from './model.js';

/** The networks of a file that was trained before, shared out: no network serves for two of these. */
export interface SharedOut {
  /** `[n, count]` of each. */
  readonly parts: Readonly<Record<'train' | 'validation' | 'test', Float32Array>>;
  readonly record: PretrainedNetworks;
}

/** Whether networks are the same, whatever file they lie in. */
export const checksumOf = ({ parameters: { buffer, byteOffset, byteLength } }: Model): string =>
  crc32(new Uint8Array(buffer, byteOffset, byteLength))
    .toString(16)
    .padStart(8, '0');

/** ERR_OPTION where networks of a file are of another architecture or geometry than `options` say. */
export function checkArchitecture(where: string, { network }: Model, options: NetworkOptions): void {
  const words = ({ inputShape, classes, ...spec }: NetworkOptions) =>
    `${networkTitle(spec)} for ${shapeText(inputShape)} in ${classes} classes`;
  const [given, expected] = [network, options].map(words);
  if (given !== expected)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where} holds networks of another architecture: ${given}, expected ${expected}: name theirs (--network), and bring the data to their shape (--shape)`,
    );
}

/** The first networks of a file, in its order, for a run that knows them; ERR_OPTION where they are fewer. */
export function firstOf(where: string, model: Model, { count }: Network, wanted: number): Float32Array {
  const all = networksIn(model, { count } as Network);
  if (all < wanted)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where} holds ${counted(all, 'network')}, expected at least ${wanted}, one for each of the population`,
    );
  return model.parameters.subarray(0, wanted * count);
}

/**
 * Shares out the networks of a file: the last `test` of them test a result, the `validation` before them choose it, and those that
 * are left, the first, are what distillation sees. Throws ERR_OPTION, in the name of `where`, for too few networks.
 */
export function shareOut(
  where: string,
  model: Model,
  { validation, test }: { readonly validation: number; readonly test: number },
): SharedOut {
  const network = createNetwork(model.network);
  const all = networksIn(model, network);
  const train = all - validation - test;
  if (train < 1)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where} holds ${counted(all, 'network')}: of them ${validation} choose a result (--validation-networks) and ${test} test it (--networks), which leaves ` +
        `none to distil for; expected at least ${validation + test + 1}, or fewer held out`,
    );
  const record = { dataset: model.notes.dataset, checksum: checksumOf(model), train, validation, test };
  return { parts: partsOf(model, network, record), record };
}

function partsOf(
  { parameters }: Model,
  { count }: Network,
  { train, validation }: PretrainedNetworks,
): SharedOut['parts'] {
  const [second, third] = [train * count, (train + validation) * count];
  return {
    train: parameters.subarray(0, second),
    validation: parameters.subarray(second, third),
    test: parameters.subarray(third),
  };
}

/**
 * What the networks of a file are to a set that was made for pretrained ones. In the file that it was made with they are shared out as
 * they were then; of another file all are new to it, and half of them, up to `validation` of before, choose.
 */
export function heldOutOf(set: DistilledSet, model: Model): SharedOut {
  const { pretrained } = set;
  checkArchitecture('the file of networks', model, set.network);
  const network = createNetwork(model.network);
  if (pretrained!.checksum === checksumOf(model))
    return { parts: partsOf(model, network, pretrained!), record: pretrained! };
  const all = networksIn(model, network);
  const validation = Math.min(pretrained!.validation, all >> 1);
  if (validation < 1)
    throw new LimbeckError(
      'ERR_OPTION',
      `the file of networks holds ${counted(all, 'network')}, expected two or more: one chooses by the validation images, the others are tested`,
    );
  const record = {
    ...{ dataset: model.notes.dataset, checksum: checksumOf(model), train: 0 },
    ...{ validation, test: all - validation },
  };
  return { parts: partsOf(model, network, record), record };
}

/**
 * The same where a set is for pretrained networks; undefined for other sets. ERR_OPTION where they are not given, or where `others`,
 * networks of another architecture, are to train on it, which would begin afresh.
 */
export function heldOutFor(
  set: DistilledSet,
  model: Model | undefined,
  others: boolean,
): SharedOut | undefined {
  if (!set.pretrained) return undefined;
  const { dataset } = set.pretrained;
  if (!model)
    throw new LimbeckError(
      'ERR_OPTION',
      `these images are for networks that were trained on ${dataset} before: give some (\`pretrained\`, or --init pretrained:DIR)`,
    );
  if (others)
    throw new LimbeckError(
      'ERR_OPTION',
      `these images are for networks that were trained on ${dataset} before, and another architecture would begin afresh: leave it out`,
    );
  return heldOutOf(set, model);
}

/** How many of them are tested: all, or the first few. */
export function testedWith({ record }: SharedOut, asked = record.test): number {
  if (Number.isInteger(asked) && asked >= 1 && asked <= record.test) return asked;
  throw new LimbeckError(
    'ERR_OPTION',
    `networks is ${shown(asked)}, expected a whole number from 1 to ${record.test}, the networks that were held out to test with`,
  );
}
