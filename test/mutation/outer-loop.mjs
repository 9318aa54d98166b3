const tests = ['test/outer-loop.test.ts'];
const file = 'src/methods/outer-loop.ts';

/** How what is learned moves. */
export const outerLoop = [
  {
    id: 'one-rate-for-all',
    file,
    find: 'optimizer.adamSchedule(scheduleRates(rates[name], iterations, schedule), adam)',
    replace: 'optimizer.adamSchedule(scheduleRates(rates.images, iterations, schedule), adam)',
    what: 'every variable moves at the rate of the images',
    tests,
  },
  {
    id: 'clip-not-applied',
    file,
    find: 'optimizer.adam(r, { g, scale, schedule,',
    replace: 'void scale;\n    optimizer.adam(r, { g, schedule,',
    what: 'the clipping factor is computed and not applied',
    tests,
  },
  {
    id: 'average-of-gradient',
    file,
    find: "elementwise.average(r, { x: variables[name], average: moment('average') }, average)",
    replace: "elementwise.average(r, { x: g, average: moment('average') }, average)",
    what: 'the running average is of the gradient',
    tests,
  },
  {
    id: 'clip-of-first-variable',
    file,
    find: 'optimizer.clip(r, { squaredNorm: squared(g) }, options.clip)',
    replace: 'optimizer.clip(r, { squaredNorm: squared(bars.images!) }, options.clip)',
    what: 'labels and rates are clipped by the norm of the images',
    tests,
  },
  {
    id: 'average-begins-at-zero',
    file,
    find: ']?.write(first[name]);',
    replace: ']?.write(first[name].map(() => 0));',
    what: 'the running average begins at zero',
    tests,
  },
  {
    id: 'result-is-not-the-average',
    file,
    find: '.average`] ?? this.tensors[name]',
    replace: '.none`] ?? this.tensors[name]',
    what: 'the result is what was learned last, not its running average',
    tests,
  },
];
