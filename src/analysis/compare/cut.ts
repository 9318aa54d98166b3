import { findProtocol } from '../../eval/find-protocol.js';
import { count, counted } from '../../util/words.js';
import type { Comparing } from './options.js';
import type { ComparedRun } from './record.js';

/** In words what was left out beside published settings: runs that ended early, fewer networks. */
export function cutsOf({ protocol, networks, common }: Comparing, runs: readonly ComparedRun[]): string[] {
  const usual = findProtocol(protocol).networks;
  const cut = runs
    .filter(({ outerSteps, iterations }) => outerSteps < iterations)
    .map(
      ({ title, ipc, seed, outerSteps, iterations }) =>
        `${title}, ${ipc} per class, seed ${seed}: ${count(outerSteps)} of ${counted(iterations, 'outer step')}`,
    );
  return [
    ...(networks < usual
      ? [`${counted(networks, 'network')} for each set, not ${usual} as protocol ${common.name} says`]
      : []),
    ...cut,
  ];
}
