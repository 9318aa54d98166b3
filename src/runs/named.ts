import type { DistilledSet } from '../data/distilled-set.js';
import { openExperts } from '../data/experts/open.js';
import { firstNames } from '../data/first-images.js';
import { parseNpy } from '../data/npy.js';
import { decodeArtefact } from '../eval/artefact.js';
import type { Model } from '../eval/model.js';
import { firstLabelNames } from '../methods/first-labels.js';
import { parseInit } from '../methods/networks.js';
import { networkSpec } from '../networks/index.js';
import { LimbeckError } from '../util/errors.js';
import { readNamedFile } from '../util/read-file.js';
import { decodeSafetensors } from '../util/safetensors.js';
import { readModel } from './network-folder.js';
import type { ResolvedOptions } from './options.js';
import type { Named } from './setting.js';

/**
 * Reads and opens what the options of a run name; one that goes on has no use for the set it began with. Experts of other data than
 * those with the checksum `sha256` are ERR_DATA.
 */
export async function openNamed(
  { first, parametrisation, experts: folder, init, teacher: path, firstLabels: labels }: ResolvedOptions,
  { goesOn = false, sha256 }: { goesOn?: boolean; sha256?: string } = {},
): Promise<Named & AsyncDisposable> {
  const set = goesOn ? undefined : await firstSet(first);
  const weights = goesOn ? undefined : await weightsIn(networkSpec(parametrisation).weights);
  const firstLabels = goesOn ? undefined : await labelsIn(labels);
  const pretrained = await pretrainedIn(init);
  const teacher = path ? await readModel(path as string) : undefined;
  const experts = folder ? await openExperts(folder as string) : undefined;
  if (experts && sha256 !== undefined && experts.dataset.sha256 !== sha256) {
    await experts.close();
    throw new LimbeckError(
      'ERR_DATA',
      `the experts in ${folder} were trained on ${experts.dataset.name}, and this data set has other images, labels or splits: expected the data ` +
        'that they were trained on, read and split in the same way',
    );
  }
  return {
    first: set,
    weights,
    experts,
    pretrained,
    teacher,
    firstLabels,
    async [Symbol.asyncDispose]() {
      await experts?.close();
    },
  };
}

/** The labels in the file that `firstLabels` names, row by row; undefined where it names none. */
async function labelsIn(file: unknown): Promise<Float32Array | undefined> {
  if (typeof file !== 'string' || (firstLabelNames as readonly string[]).includes(file)) return undefined;
  const bytes = await readNamedFile(
    file,
    (reason) =>
      `firstLabels (--first-labels) is ${JSON.stringify(file)}, which cannot be read: ${reason}; expected one of ${firstLabelNames.join(', ')}, or a .npy file`,
  );
  const { data } = await parseNpy(bytes, file);
  const labels = Float32Array.from(data as ArrayLike<number>);
  if (!labels.every(Number.isFinite))
    throw new LimbeckError('ERR_DATA', `${file} holds labels that are not finite, expected numbers`);
  return labels;
}

/** The networks in the folder that `init` names; undefined where it names none. */
async function pretrainedIn(init: unknown): Promise<Model | undefined> {
  const folder = parseInit(init)?.folder;
  return folder === undefined ? undefined : readModel(folder);
}

/** The tensors in the file that a parametrisation names, one after the other in the order of the layers. */
async function weightsIn(file: unknown): Promise<Float32Array | undefined> {
  if (typeof file !== 'string' || file === '') return undefined;
  const what = `weights of option parametrisation is ${JSON.stringify(file)}`;
  const bytes = await readNamedFile(
    file,
    (reason) =>
      `${what}, which cannot be read: ${reason}; expected a safetensors file of the parameters of its layers`,
  );
  const tensors = Object.entries(decodeSafetensors(bytes).tensors).sort(([a], [b]) => byLayer(a, b));
  const weights = new Float32Array(tensors.reduce((sum, [, { data }]) => sum + data.length, 0));
  let at = 0;
  for (const [name, { data }] of tensors) {
    for (const value of data) weights[at++] = Number(value);
    if (!weights.subarray(at - data.length, at).every(Number.isFinite))
      throw new LimbeckError('ERR_DATA', `${what}, whose tensor ${name} is not finite, expected numbers`);
  }
  return weights;
}

/** The order of PyTorch's `state_dict`, which a file need not keep: layers by number, of each its weight before its bias. */
function byLayer(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => name.replace(/bias$/, 'z-bias').replace(/weight$/, 'a-weight'));
  return left.localeCompare(right, 'en', { numeric: true });
}

/** The set to begin with, where the option names a file. */
async function firstSet(first: string): Promise<DistilledSet | undefined> {
  if ((firstNames as readonly string[]).includes(first)) return undefined;
  const bytes = await readNamedFile(
    first,
    (reason) =>
      `first (--first) is ${JSON.stringify(first)}, which cannot be read: ${reason}; expected one of ` +
      `${firstNames.join(', ')}, or a file such as runs/first/distilled.safetensors`,
  );
  return decodeArtefact(bytes).set;
}
