const kip = ['test/kip.test.ts'];

/** Kernel regression with infinitely wide networks. */
export const inducing = [
  {
    id: 'ridge-of-the-protocol',
    file: 'src/eval/under-protocol.ts',
    find: 'use.ridge : undefined',
    replace: 'undefined : undefined',
    what: 'a set is scored with another ridge than it was made with',
    tests: kip,
  },
  {
    id: 'norm-turned-around',
    file: 'src/engine/ops/arccosine.ts',
    find: '(qByB - (norm * q) / (2 * qb))',
    replace: '(qByB + (norm * q) / (2 * qb))',
    what: 'the tangent kernel grows with the angle of an image that is longer',
    tests: kip,
  },
  {
    id: 'trace-over-real-images',
    file: 'src/train/inducing-points.ts',
    find: 'arccosine.slopeOfSame(kernel)) / n',
    replace: 'arccosine.slopeOfSame(kernel)) / B',
    what: 'the ridge passes on the mean of the trace over real images',
    tests: kip,
  },
  {
    id: 'labels-of-last-batch',
    file: 'src/methods/kip.ts',
    find: 'sums.length ? { normal, projected } : undefined',
    replace: 'undefined',
    what: 'labels of images that stay are solved on the last batch alone',
    tests: kip,
  },
  {
    id: 'labels-always-solved',
    file: 'src/methods/kip.ts',
    find: 'if (o.solveLabels) {',
    replace: "if (o.labels !== 'soft') {",
    what: 'hard labels are solved, too',
    tests: kip,
  },
  {
    id: 'same-score-again',
    file: 'src/eval/comparison.ts',
    find: 'geometry.kernel && !source.random ? 1 : networks',
    replace: 'geometry.kernel && source.random ? 1 : networks',
    what: 'random images have one draw, and a set as many scores that are the same',
    tests: kip,
  },
  {
    id: 'label-solve-iterations',
    file: 'src/methods/kip.ts',
    find: "fixedImages && solveLabels && !given('iterations')",
    replace: "fixedImages && !given('iterations')",
    what: 'labels that are learned by steps on fixed images get 10 outer steps, not 300',
    tests: ['test/kip.test.ts'],
  },
  {
    id: 'last-piece-alone',
    file: 'src/eval/kernel-evaluator.ts',
    find: 'accumulate: start > 0',
    replace: 'accumulate: false',
    what: 'of more than 2,048 images the last piece alone is counted',
    tests: ['test/kip.test.ts'],
  },
];
