import { createHash } from 'node:crypto';
import { labelsOf } from '../data/classes.js';
import { type Dataset, splitNames } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import { pixelScaleOf } from '../data/pixel-scale.js';
import { textRecord } from '../data/text/stored.js';
import type { ArtefactNotes } from '../eval/artefact.js';
import type { DatasetRecord } from './record.js';

/** What a record says of its data; of whitened ones the checksum is of the images before. ERR_DATA where any of it is not sound. */
export function describeData(data: Dataset): DatasetRecord {
  // All of it is read here in any case, and hours before the test split is used.
  expectDataset('data set', data, splitNames);
  const hash = createHash('sha256');
  const { train, validation, test } = data.zca?.source ?? data;
  for (const { images, labels } of [train, validation, test]) {
    hash.update(new Uint8Array(images.buffer, images.byteOffset, images.byteLength));
    // Of labels that are bytes, however wide the array is.
    const stored = labelsOf(labels);
    hash.update(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  }
  const { name, imageShape, originalShape, classNames, mean, std, zca, text } = data;
  if (text) {
    hash.update(text.words.join('\n'));
    hash.update(new Uint8Array(text.table.buffer, text.table.byteOffset, text.table.byteLength));
  }
  return {
    name,
    imageShape,
    ...(originalShape && { originalShape }),
    classNames,
    mean,
    std,
    zca: zca && { epsilon: zca.epsilon },
    ...pixelScaleOf(data),
    ...(text && { text: textRecord(text) }),
    splits: { train: data.train.count, validation: data.validation.count, test: data.test.count },
    sha256: hash.digest('hex'),
  };
}

/** Whether it is the data that a set was made from; undefined where its notes do not say. */
export const isSameData = (data: Dataset, { dataSha256 }: ArtefactNotes): boolean | undefined =>
  dataSha256 === undefined ? undefined : describeData(data).sha256 === dataSha256;
