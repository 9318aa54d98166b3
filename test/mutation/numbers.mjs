const normalisation = ['test/data.normalisation.test.ts'];

/** Statistics, of accuracies and of pixels. */
export const numbers = [
  {
    id: 'deviation-of-population',
    file: 'src/eval/statistics.ts',
    find: 'Math.sqrt(squares / (networks - 1))',
    replace: 'Math.sqrt(squares / networks)',
    what: 'standard deviation with n in place of n - 1',
    tests: ['test/statistics.test.ts'],
  },
  {
    id: 'array-statistics-of-all',
    file: 'src/data/arrays.ts',
    find: '...channelStatistics(parts.train, imageShape),',
    replace: '...channelStatistics(all, imageShape),',
    what: 'mean and deviation of arrays are taken over held-out images as well',
    tests: normalisation,
  },
  {
    id: 'file-statistics-of-all',
    file: 'src/data/assemble.ts',
    find: 'const statistics = channelStatistics(splits.train, imageShape);',
    replace: 'const statistics = channelStatistics(found.train, imageShape);',
    what: 'mean and deviation of files are taken over held-out images as well',
    tests: normalisation,
  },
  {
    id: 'device-shifts-by-first-deviation',
    file: 'src/data/on-device.ts',
    find: 'mean.map((value, c) => -value / std[c]),',
    replace: 'mean.map((value) => -value / std[0]),',
    what: 'on the device pixels are shifted by the deviation of channel 0',
    tests: normalisation,
  },
  {
    id: 'host-shifts-by-first-mean',
    file: 'src/data/on-device.ts',
    find: '/ scale - dataset.mean[c]) / dataset.std[c];',
    replace: '/ scale - dataset.mean[0]) / dataset.std[c];',
    what: 'on the host pixels are shifted by the mean of channel 0',
    tests: normalisation,
  },
];
