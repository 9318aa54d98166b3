const tests = ['test/outer-loop.test.ts'];
const variable = 'src/methods/variable.ts';

/** How what is learned moves. */
export const outerLoop = [
  {
    id: 'one-rate-for-all',
    file: 'src/methods/unrolled.ts',
    find: "return { kind: 'adam', rate, beta1",
    replace: "return { kind: 'adam', rate: o.lr, beta1",
    what: 'every variable moves at the rate of the images',
    tests,
  },
  {
    id: 'clip-not-applied',
    file: variable,
    find: 'adam.inPlace(r, { g: bar, scale, schedule,',
    replace: 'adam.inPlace(r, { g: bar, schedule,',
    what: 'the clipping factor is computed and not applied',
    tests,
  },
  {
    id: 'clip-squares',
    file: variable,
    find: 'optimizer.clip(r, { squaredNorm: reduce.dot(r, { a: bar, b: bar }) }, update.clip)',
    replace: 'optimizer.clip(r, { squaredNorm: reduce.dot(r, { a: bar, b: theta }) }, update.clip)',
    what: 'a gradient is clipped by what is not its norm',
    tests,
  },
  {
    id: 'average-of-gradient',
    file: variable,
    find: '{ x: theta, average: external(',
    replace: '{ x: bar, average: external(',
    what: 'the running average is of the gradient',
    tests,
  },
  {
    id: 'average-begins-at-zero',
    file: variable,
    find: '.average`]?.write(first);',
    replace: '.average`]?.write(Array.from(first, () => 0));',
    what: 'the running average begins at zero',
    tests,
  },
  {
    id: 'result-is-not-the-average',
    file: 'src/methods/learner.ts',
    find: '.average`] ?? tensors[name]',
    replace: '.none`] ?? tensors[name]',
    what: 'the result is what was learned last, not its running average',
    tests,
  },
];
