import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import { normalisedImages } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { type Artefact, expectArtefact } from '../eval/artefact.js';
import { askModel } from '../eval/outputs.js';
import { type Accuracy, summarise } from '../eval/statistics.js';
import { asDistilled } from '../runs/train-on-checks.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { type SubjectOptions, subjectNames, subjectsOf } from './subjects.js';

/** Who is compared; each has a default. */
export interface FairnessOptions extends SubjectOptions {
  /** `[test images]`: the group of each, whatever it is called; default its class. */
  readonly groups?: ArrayLike<string | number>;
}

/** How networks do on each group of test images, by what they learned from. */
export interface Fairness {
  /** Their names. */
  readonly groups: readonly string[];
  /** Test images of each group. */
  readonly counts: readonly number[];
  /** By what networks learned from. */
  readonly subjects: readonly FairnessSubject[];
}

/** Networks of one kind. */
export interface FairnessSubject {
  /** What they learned from. */
  readonly name: string;
  /** Test accuracy in percent. */
  readonly accuracy: Accuracy;
  /** Of each group, `[groups]`. */
  readonly perGroup: readonly Accuracy[];
  /** Of the group that each network does worst on. */
  readonly worst: Accuracy;
  /** Between each network's best group and its worst, in points. */
  readonly gap: Accuracy;
}

/**
 * Test accuracy by class, or by any other group: whether a small set leaves out those that a large one serves.
 *
 * What it does not show: why, or whether what the labels say is fair.
 *
 * @throws ERR_OPTION for options that are unknown, or groups of another number than test images; what `trainOn` throws
 */
export async function fairness(
  device: Device,
  dataset: Dataset,
  artefact: Artefact,
  options: FairnessOptions = {},
): Promise<Fairness> {
  expectDevice('fairness', device);
  expectDataset('fairness', dataset);
  expectArtefact('fairness', artefact);
  expectOptions('fairness', options, { ...subjectNames, groups: true });
  const { test, classNames } = dataset;
  const { groups: given, ...how } = options;
  if (given && given.length !== test.count)
    throw new LimbeckError(
      'ERR_OPTION',
      `fairness: groups has ${given.length} elements, expected one for each of the ${test.count} test images`,
    );
  const of = Array.from({ length: test.count }, (_, i) =>
    String(given ? given[i] : classNames[test.labels[i]]),
  );
  const groups = given ? [...new Set(of)].sort() : classNames.filter((name) => of.includes(name));
  const data = asDistilled(dataset, artefact);
  const images = normalisedImages(
    data,
    test,
    Array.from(of, (_, i) => i),
  );
  const subjects: FairnessSubject[] = [];
  for (const { name, model } of await subjectsOf('fairness', device, data, artefact, how)) {
    const answers = await askModel(device, model, of.length, (outputs) =>
      outputs.classes(model, images, options.signal),
    );
    const percent = (classes: readonly number[], group?: string) => {
      const rows = [...of.keys()].filter((i) => group === undefined || of[i] === group);
      return (100 * rows.filter((i) => classes[i] === test.labels[i]).length) / rows.length;
    };
    const ofGroups = answers.map((classes) => groups.map((group) => percent(classes, group)));
    subjects.push({
      name,
      accuracy: summarise(answers.map((classes) => percent(classes))),
      perGroup: groups.map((_, g) => summarise(ofGroups.map((values) => values[g]))),
      worst: summarise(ofGroups.map((values) => Math.min(...values))),
      gap: summarise(ofGroups.map((values) => Math.max(...values) - Math.min(...values))),
    });
  }
  return { groups, counts: groups.map((group) => of.filter((one) => one === group).length), subjects };
}
