import type { Dataset } from '../data/dataset.js';
import type { Artefact } from '../eval/artefact.js';
import type { Model } from '../eval/model.js';
import { checkArchitecture } from '../eval/pretrained.js';
import { teacherFrom } from '../eval/teacher.js';
import { parseInit } from '../methods/networks.js';
import { readModel } from '../runs/network-folder.js';
import { LimbeckError } from '../util/errors.js';
import type { Option } from './options.js';

/** Where the networks lie that a set is for, for commands that train on one. */
export const initOption: Option = {
  name: 'init',
  kind: 'text',
  value: 'pretrained:DIR',
  help: 'of sets for networks that were trained before: where such networks lie; those it was distilled for are left out',
  fallback: 'where they lay when it was made',
};

/** Whose answers baselines have as labels. */
export const teacherOption: Option = {
  name: 'teacher',
  kind: 'text',
  value: 'DIR',
  help: 'a network trained on the data, as limbeck train --out leaves it: for the baseline randomTeacher, and for --labels teacher',
  fallback: 'that of the set, where it still lies where it was',
};

/** The teacher that was asked for; else the one that gave a set its labels, where it is still there. */
export async function teacherFor(
  given: string | undefined,
  made?: { readonly artefact: Artefact; readonly data: Dataset },
): Promise<Model | undefined> {
  if (given !== undefined) return readModel(given);
  const { set, notes } = made?.artefact ?? {};
  const path = notes?.options.teacher;
  if (typeof path !== 'string' || !set?.teacher) return undefined;
  try {
    const model = await readModel(path);
    return teacherFrom(path, model, made!.data).record.checksum === set.teacher.checksum ? model : undefined;
  } catch {
    // Nobody asked for it: other data are looked at, or it is no longer there.
    return undefined;
  }
}

/** The networks that a set is for, from where `init` says or where they lay when it was made; undefined where it is for others. */
export async function pretrainedFor(
  path: string,
  { set, notes }: Artefact,
  init: string | undefined,
): Promise<Model | undefined> {
  if (!set.pretrained && init !== undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `--init is ${init}, but ${path} is not for networks that were trained before: leave it out`,
    );
  if (!set.pretrained) return undefined;
  const { kind, folder } = parseInit(init ?? notes.options.init) ?? {};
  if (kind !== 'random' || folder === undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `--init is ${init ?? 'missing'}, expected pretrained:DIR, a folder of networks trained on ${set.pretrained.dataset} as limbeck train --out DIR writes it`,
    );
  const model = await readModel(folder);
  checkArchitecture(folder, model, set.network);
  return model;
}
