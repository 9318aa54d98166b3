import { metaStep } from './meta-step.mjs';

export default {
  title: 'LeNet meta-gradient, 10 images, 1 x 3 inner steps, 32 networks, 1,024 real images each',
  peers: ['torch'],
  forGpu: true,
  // Of so many networks one has a ReLU on its edge, which two float32 sides decide differently.
  ...metaStep(
    { n: 10, steps: 1, epochs: 3, batch: 1024, population: 32 },
    { n: 10, steps: 1, epochs: 3, batch: 1024, population: 4 },
  ),
};
