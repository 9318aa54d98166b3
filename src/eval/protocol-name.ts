import type { DistilledSet, TeacherRecord } from '../data/distilled-set.js';
import { networkTitle } from '../networks/spec.js';
import { trainingName } from '../train/training.js';
import { counted, saidOf } from '../util/words.js';
import { describeProtocol, describeRegression, findProtocol } from './find-protocol.js';
import type { Protocol } from './protocol.js';
import { ridgeUnder, temperatureUnder } from './under-protocol.js';

/** The protocol a set is scored under unless asked otherwise: that of its use. */
export const protocolOf = ({ use }: DistilledSet): Protocol =>
  findProtocol(use.kind === 'minibatches' ? use.protocol : 'learned-steps');

/**
 * How networks are trained on a set, in words: printed beside every accuracy. `whitened`: whether the data is, for training
 * and scoring alike; `text`: whatever there is where the items are texts; `teacher`: who labels every batch, where the protocol says so.
 */
export function protocolName(
  set: DistilledSet,
  protocol: Protocol,
  whitened: boolean,
  text?: unknown,
  teacher?: Omit<TeacherRecord, 'temperature'>,
): string {
  const { use, pretrained } = set;
  const { training } = protocol;
  const network = `${networkTitle(set.network)}${whitened ? ' on ZCA-whitened images' : ''}`;
  if (training === 'none')
    return `${network}, ${describeRegression({ ...protocol, ridge: ridgeUnder(protocol, set) })}`;
  if (training !== 'learned-steps') {
    const start = pretrained ? `${network}, networks trained on ${pretrained.dataset}` : network;
    const temperature = temperatureUnder(protocol, set);
    const anew =
      protocol.labels === 'teacher'
        ? `, every batch labelled by ${teacher?.network} ${teacher?.checksum}`
        : '';
    const soft =
      temperature === undefined
        ? anew
        : `${anew || ', labels given by a teacher'} at temperature ${temperature}`;
    return `${start}, ${describeProtocol({ ...protocol, training }, Boolean(pretrained))}${soft}`;
  }
  if (use.kind !== 'learned-steps') return `${network}, protocol ${protocol.name}`;
  const perStep = set.classes.length / use.steps;
  return [
    network,
    pretrained ? `networks trained on ${pretrained.dataset}` : `${use.init} initialisation`,
    `${counted(use.steps, 'step')} x ${counted(use.epochs, 'epoch')}`,
    `${counted(perStep, saidOf({ text }, 'image'))} per step`,
    `${trainingName(use.training)} in the learned order`,
  ].join(', ');
}
