import { recordUnrolled } from '../train/unrolled.js';
import type { Method } from './method.js';

/**
 * Dataset distillation by unrolled training: the loss on a real batch after `steps * epochs` steps of training on the
 * distilled images, differentiated exactly through all of them. Soft labels follow Sucholutsky & Schonlau 2019.
 */
export const method: Method = {
  name: 'unrolled',
  source: 'Wang, Zhu, Torralba, Efros: Dataset Distillation, 2018',
  record(r, given) {
    const { network, members, theta, distilled, steps, epochs, training, random, keep } = given;
    const { real, losses, gradient } = given;
    const loop = { network, theta, ...distilled, steps, epochs, training, random };
    recordUnrolled(r, members, loop, real, { losses, ...gradient }, { keep });
  },
};
