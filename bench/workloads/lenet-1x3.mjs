import { metaStep } from './meta-step.mjs';

export default {
  title: 'LeNet meta-gradient, 10 images, 1 x 3 inner steps, 1,024 real images',
  peers: ['torch', 'tfjs', 'jaxjs'],
  ...metaStep({ n: 10, steps: 1, epochs: 3, batch: 1024, population: 1 }),
};
