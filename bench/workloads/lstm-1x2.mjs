import { metaStep } from './meta-step.mjs';

export default {
  title: 'LSTM meta-gradient, 120 sentences of 30 x 100, 1 x 2 inner steps, 1,024 real sentences',
  peers: ['torch'],
  ...metaStep({ network: 'lstm', n: 120, steps: 1, epochs: 2, batch: 1024, population: 1 }),
};
