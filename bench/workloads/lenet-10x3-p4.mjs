import { metaStep } from './meta-step.mjs';

export default {
  title: 'LeNet meta-gradient, 100 images, 10 x 3 inner steps, 4 networks, 1,024 real images',
  peers: ['torch'],
  ...metaStep({ n: 10, steps: 10, epochs: 3, batch: 1024, population: 4 }),
};
