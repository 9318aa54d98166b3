import { normalisedImages } from '../on-device.js';
import { type Selection, shuffledRows } from './by-class.js';

/** Training images drawn at random from each class. */
export const randomReal: Selection = async (dataset, perClass, seed, draw) => {
  const rows = shuffledRows(dataset, seed, draw);
  const chosen = Array.from({ length: perClass * dataset.classes }, (_, i) => {
    const ofClass = rows[i % dataset.classes];
    return ofClass[Math.floor(i / dataset.classes) % ofClass.length];
  });
  return normalisedImages(dataset, dataset.train, chosen);
};
