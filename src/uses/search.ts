import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import { normalisedImages } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { type Artefact, expectArtefact } from '../eval/artefact.js';
import { findProtocol } from '../eval/find-protocol.js';
import type { Model } from '../eval/model.js';
import { askModel } from '../eval/outputs.js';
import { protocolOf } from '../eval/protocol-name.js';
import { type Accuracy, percentSame, summarise } from '../eval/statistics.js';
import { stepsUnder } from '../eval/under-protocol.js';
import { type NetworkSpec, networkSpec, networkTitle } from '../networks/index.js';
import { asDistilled } from '../runs/train-on-checks.js';
import { argmax } from '../util/argmax.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions, shown } from '../util/expect.js';
import { rankCorrelation } from '../util/rank-correlation.js';
import { expectFresh, trainKinds, type UseOptions, useNames } from './subjects.js';

/** Which architectures are searched; each has a default. */
export interface SearchOptions extends UseOptions {
  /** Networks as `createNetwork` names them; default twelve ConvNets of three widths, two depths and two norms. */
  readonly architectures?: readonly (string | NetworkSpec)[];
}

/** Whether a small set tells good architectures from others. */
export interface Search {
  /** Networks as they are named. */
  readonly architectures: readonly string[];
  /** By what they learned from. */
  readonly subjects: readonly SearchSubject[];
}

/** What architectures reach on one kind of images. */
export interface SearchSubject {
  /** What the networks learned from. */
  readonly name: string;
  /** Validation accuracy in percent, `[architectures]`. */
  readonly accuracy: readonly Accuracy[];
  /** Spearman's rank correlation with all training images: 1 is the same order. */
  readonly correlation: number;
  /** How far the architecture that is best here lies behind the best one of all when both learn from all training images, in points. */
  readonly regret: number;
}

export const usualArchitectures: readonly string[] = [8, 16, 32].flatMap((width) =>
  [2, 3].flatMap((depth) =>
    ['instance', 'none'].map((norm) => `convnet:width=${width}:depth=${depth}:norm=${norm}`),
  ),
);

/**
 * Architecture search on a distilled set (Zhao et al. 2021, section 4.3): every architecture learns from the set, from random real images and from all training
 * images; how alike the three orders are says what a search on the small set would find.
 *
 * What it does not show: that a search over other architectures would do as well. Few points of accuracy between these make any order look random.
 *
 * @throws ERR_OPTION for options that are unknown or out of range, fewer than three architectures, or a set for networks that were trained before, or for known ones; what `trainOn` throws
 */
export async function search(
  device: Device,
  dataset: Dataset,
  artefact: Artefact,
  options: SearchOptions = {},
): Promise<Search> {
  expectDevice('search', device);
  expectDataset('search', dataset);
  expectArtefact('search', artefact);
  expectOptions('search', options, { ...useNames, architectures: true });
  const { architectures = usualArchitectures, onProgress, ...how } = options;
  if (!Array.isArray(architectures) || architectures.length < 3)
    throw new LimbeckError(
      'ERR_OPTION',
      `search: architectures is ${shown(architectures)}, expected three networks or more: two have no order`,
    );
  expectFresh('search', artefact.set, 'architectures begin afresh');
  const protocol = how.protocol === undefined ? protocolOf(artefact.set) : findProtocol(how.protocol);
  if (stepsUnder(artefact.set, protocol)?.init === 'fixed')
    throw new LimbeckError(
      'ERR_OPTION',
      'search: the set is for known networks of one architecture, and architectures begin afresh: expected one for random networks, or a protocol of ordinary training, such as full-batch',
    );
  const data = asDistilled(dataset, artefact);
  const specs = architectures.map((one) => networkSpec(one));
  const titles = specs.map(networkTitle);
  const found = new Map<string, Accuracy[]>();
  for (const [i, network] of specs.entries()) {
    const say = ({ training }: { training: string }) =>
      onProgress?.({ training: `${titles[i]} on ${training}` });
    for (const { name, model } of await trainKinds(device, data, artefact, {
      ...how,
      network,
      onProgress: say,
    })) {
      const accuracy = await validated(device, data, model, options.signal);
      found.set(name, [...(found.get(name) ?? []), accuracy]);
    }
  }
  const names = [...found.keys()];
  const all = found.get(names[names.length - 1])!.map(({ mean }) => mean);
  return {
    architectures: titles,
    subjects: names.map((name) => {
      const accuracy = found.get(name)!;
      const means = accuracy.map(({ mean }) => mean);
      const chosen = argmax(means);
      return {
        name,
        accuracy,
        correlation: rankCorrelation(means, all),
        regret: Math.max(...all) - all[chosen],
      };
    }),
  };
}

/** A search must not see the test split. */
function validated(device: Device, dataset: Dataset, model: Model, signal?: AbortSignal): Promise<Accuracy> {
  const { validation } = dataset;
  const rows = Array.from({ length: validation.count }, (_, i) => i);
  return askModel(device, model, rows.length, async (outputs) => {
    const classes = await outputs.classes(model, normalisedImages(dataset, validation, rows), signal);
    return summarise(classes.map((of) => percentSame(of, validation.labels)));
  });
}
