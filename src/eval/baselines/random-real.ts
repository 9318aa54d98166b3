import { normalisedImages } from '../../data/on-device.js';
import { type Baseline, shuffledRows } from './baseline.js';

/** Training images drawn at random from each class. */
export const randomReal: Baseline = {
  name: 'randomReal',
  title: 'random real images',
  random: true,
  async images(dataset, perClass, seed, draw) {
    const rows = shuffledRows(dataset, seed, draw);
    const chosen = Array.from({ length: perClass * dataset.classes }, (_, i) => {
      const ofClass = rows[i % dataset.classes];
      return ofClass[Math.floor(i / dataset.classes) % ofClass.length];
    });
    return normalisedImages(dataset, dataset.train, chosen);
  },
};
