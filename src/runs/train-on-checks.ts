import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import type { Artefact } from '../eval/artefact.js';
import { checkFits, networksOf } from '../eval/evaluate.js';
import { findProtocol, type ProtocolChanges } from '../eval/find-protocol.js';
import { checkLength, checkPreprocessing, type Protocol } from '../eval/protocol.js';
import { protocolOf } from '../eval/protocol-name.js';
import { LimbeckError } from '../util/errors.js';
import { counted } from '../util/words.js';

/** What training on a distilled set needs: a protocol, a data set and networks that fit it. */

/** Whether a set was made from ZCA-whitened images. */
export const isWhitened = ({ notes }: Artefact): boolean => Boolean(notes.reading?.zca);

/** How networks are trained on a set; ERR_OPTION where its images are whitened and nothing says how. */
export function protocolFor(
  artefact: Artefact,
  options: ProtocolChanges & { readonly protocol?: string; readonly dataset?: Dataset },
): Protocol {
  const { augmentation, labels, epochs, batch, learningRate, dataset } = options;
  const changes = { augmentation, labels, epochs, batch, learningRate };
  const protocol = findProtocol(options.protocol ?? protocolOf(artefact.set).name, changes);
  if (protocol.training === 'none')
    throw new LimbeckError(
      'ERR_OPTION',
      `protocol is ${protocol.name}, which trains no networks: expected one that does and takes labels as they are stored, such as frepo`,
    );
  checkLength(protocol, artefact.set.classes.length);
  const whitened = isWhitened(artefact);
  checkPreprocessing(protocol, whitened);
  if (whitened && !dataset)
    throw new LimbeckError(
      'ERR_OPTION',
      `the set was made from ZCA-whitened images of ${artefact.notes.dataset}, and the network must whiten what it is given alike: expected ` +
        'that data set, as it was read (dataset, --dataset)',
    );
  return protocol;
}

/** The data set normalised as the distilled images are, whatever its own statistics. */
export function asDistilled(dataset: Dataset, artefact: Artefact): Dataset {
  const { set, notes } = artefact;
  checkFits(set, dataset);
  if (Boolean(dataset.zca) !== isWhitened(artefact))
    throw new LimbeckError(
      'ERR_OPTION',
      `the set was made from images that were ${isWhitened(artefact) ? '' : 'not '}ZCA-whitened, and ${dataset.name} ${dataset.zca ? 'is' : 'is not'}: ` +
        'expected the same of both (zca when the data is loaded)',
    );
  if (dataset.test.count < 1)
    throw new LimbeckError('ERR_DATA', `${dataset.name} has no test images, expected at least one`);
  return { ...dataset, mean: notes.mean, std: notes.std };
}

/** The networks that a set was made for; ERR_OPTION where there are fewer. */
export function knownParameters(set: DistilledSet, protocol: Protocol, asked: number): Float32Array {
  const stored = networksOf(set, undefined, protocol);
  const { use } = set;
  if (use.kind !== 'learned-steps' || !use.initialParameters || asked > stored)
    throw new LimbeckError(
      'ERR_OPTION',
      `networks is ${asked}, but the set was made for ${counted(stored, 'known network')}, stored with it: expected at most ${stored}`,
    );
  return use.initialParameters;
}
