const soft = ['test/soft-labels.test.ts'];
const patches = ['test/best-patches.test.ts'];

/** Labels that a network gives, and images that it chooses. */
export const teachers = [
  {
    id: 'temperature-forgotten-in-gradient',
    file: 'src/train/minibatch.ts',
    find: '.backward(temperature / B)',
    replace: '.backward(1 / B)',
    what: 'gradients at a temperature are as many times too small',
    tests: soft,
  },
  {
    id: 'labels-at-inverse-temperature',
    file: 'src/methods/teacher.ts',
    find: '(z) => z / temperature',
    replace: '(z) => z * temperature',
    what: 'labels are the harder the higher the temperature',
    tests: soft,
  },
  {
    id: 'improvement-over-hard-labels',
    file: 'src/analysis/compare/rows.ts',
    find: '(own.soft?.randomTeacher ?? own.random)',
    replace: '(own.random)',
    what: 'a method is credited with what the labels of its teacher do',
    tests: soft,
  },
  {
    id: 'worst-patches',
    file: 'src/methods/best-patches.ts',
    find: 'a.score - b.score',
    replace: 'b.score - a.score',
    what: 'patches are those that the teacher knows least',
    tests: patches,
  },
  {
    id: 'one-more-of-an-image',
    file: 'src/methods/best-patches.ts',
    find: 'before === perSource',
    replace: 'before > perSource',
    what: 'an image gives more patches than it may',
    tests: patches,
  },
  {
    id: 'worst-crop-of-an-image',
    file: 'src/methods/rded.ts',
    find: '(b.score < a.score ? b : a)',
    replace: '(b.score < a.score ? a : b)',
    what: 'of the crops of an image that which the teacher knows least is a candidate',
    tests: ['test/rded.test.ts'],
  },
  {
    id: 'patches-of-one-image-first',
    file: 'src/methods/rded.ts',
    find: 'place * perClass + j',
    replace: 'j * o.factor ** 2 + place',
    what: 'the surest patches are all in the first image of a class',
    tests: ['test/rded.test.ts'],
  },
  {
    id: 'variance-sloped-once',
    file: 'src/layers/batch-norm.ts',
    find: 'part(1, 2 / M)',
    replace: 'part(1, 1 / M)',
    what: 'the gradient of a variance lacks its factor of two',
    tests: ['test/statistics-matching.test.ts'],
  },
  {
    id: 'statistics-pulled-away',
    file: 'src/train/statistics-matching.ts',
    find: 'rate: slope(-1)',
    replace: 'rate: slope(1)',
    what: 'the statistics of images are driven from those of the network',
    tests: ['test/statistics-matching.test.ts'],
  },
];
