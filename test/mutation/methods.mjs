const datm = ['test/datm.test.ts'];

/** What single methods add to those that they extend. */
export const methods = [
  {
    id: 'limit-turned-around',
    file: 'src/methods/trajectories.ts',
    find: '{ a: limit, b: loss }, 1, -1)',
    replace: '{ a: limit, b: loss }, -1, 1)',
    what: 'outer steps below the limit of the loss are those that change nothing',
    tests: datm,
  },
  {
    id: 'limit-of-images-alone',
    file: 'src/methods/trajectories.ts',
    find: 'return others;',
    replace: 'return bars;',
    what: 'labels and rate move in outer steps above the limit of the loss',
    tests: datm,
  },
  {
    id: 'softmax-sloped-wrongly',
    file: 'src/train/softmax.ts',
    find: 'zDot: pBar }, 1).zBarDot',
    replace: 'zDot: pBar }, -1).yBarDot',
    what: 'the gradient of logits lacks the factor of their probabilities',
    tests: datm,
  },
  {
    id: 'first-images-misclassified',
    file: 'src/methods/aligned-first.ts',
    find: '=== label ? right : wrong)',
    replace: '=== label ? wrong : right)',
    what: 'first images are those that the expert gets wrong',
    tests: datm,
  },
  {
    id: 'untrained-expert-asked',
    file: 'src/methods/aligned-first.ts',
    find: 'experts.parametersOf(0, experts.epochs)',
    replace: 'experts.parametersOf(0, 0)',
    what: 'labels begin as what an expert says before its training',
    tests: datm,
  },
  {
    id: 'starts-never-let-in',
    file: 'src/methods/expert-choice.ts',
    find: 'Math.min(1, step / widenSteps)',
    replace: 'Math.min(0, step / widenSteps)',
    what: 'starts stay among the first epochs',
    tests: datm,
  },
];
