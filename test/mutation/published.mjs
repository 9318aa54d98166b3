/** What was published for methods and schemes, and what is taken of it. */
export const published = [
  {
    id: 'epochs-of-30-and-40',
    file: 'src/methods/dc.ts',
    find: '30: 20, 40: 15',
    replace: '30: 15, 40: 20',
    what: 'published epochs of 30 and 40 images per class swapped',
    tests: ['test/matching.runs.test.ts'],
  },
  {
    id: 'iterations-by-inner-loop',
    file: 'src/methods/dc.ts',
    find: 'networks * outerLoop;',
    replace: 'networks * innerLoop;',
    what: 'iterations counted by the inner loop',
    tests: ['test/matching.runs.test.ts'],
  },
  {
    id: 'large-rate-after-100',
    file: 'src/methods/dm.ts',
    find: 'ipc < 100',
    replace: 'ipc <= 100',
    what: 'the large rate begins above 100 images per class',
    tests: ['test/matching.runs.test.ts'],
  },
  {
    id: 'given-called-published',
    file: 'src/runs/options.ts',
    find: '.filter(([option]) => !(option in known))',
    replace: '.filter(([option]) => option in table)',
    what: 'a preset counts as taken although the user gave the option',
    tests: ['test/matching.runs.test.ts'],
  },
  {
    id: 'gain-in-another-scheme',
    file: 'src/train/initialise.ts',
    find: '(initialisation ? undefined : network.gain)',
    replace: 'network.gain',
    what: 'the gain of the network goes into another scheme',
    tests: ['test/networks.test.ts'],
  },
];
