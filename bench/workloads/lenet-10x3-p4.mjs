import { metaStep } from './meta-step.mjs';

export default {
  title: 'LeNet meta-gradient, 100 images, 10 x 3 inner steps, 4 networks, 1,024 real images',
  peers: ['torch'],
  // Rounding decides a ReLU on its edge now and then: after 30 steps of 4 networks two float32 sides part.
  ...metaStep(
    { n: 10, steps: 10, epochs: 3, batch: 1024, population: 4 },
    { n: 10, steps: 2, epochs: 2, batch: 1024, population: 4 },
  ),
};
