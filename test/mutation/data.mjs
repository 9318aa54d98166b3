const formats = ['test/data.formats.test.ts'];
const words = ['test/text.words.test.ts'];
const texts = ['test/text.readers.test.ts'];

/** What files and generated data become. */
export const data = [
  {
    id: 'flat-colours-first-as-last',
    file: 'src/data/pixels.ts',
    find: "colourLast: sizes[0] > 1 && layout === 'nhwc' }",
    replace: 'colourLast: sizes[0] > 1 && layout !== undefined }',
    what: 'flat images whose colours come first are read as if they came last',
    tests: formats,
  },
  {
    id: 'old-archives-without-files',
    file: 'src/data/tar.ts',
    find: ' || header[156] === 0;',
    replace: ';',
    what: 'the files of an archive of before POSIX are left out',
    tests: formats,
  },
  {
    id: 'edges-of-one-softness',
    file: 'src/data/handwriting/pen.ts',
    find: 'draws.uniform(1.1, 1.9) * pixel;',
    replace: 'draws.uniform(1.1, 1.9);',
    what: 'edges of generated digits are as many pixels soft whatever the size of the image',
    tests: ['test/data.digits.test.ts'],
  },
  {
    id: 'last-training-image-held-out',
    file: 'src/data/hold-out.ts',
    find: 'given[k] < counts[k] - 1',
    replace: 'given[k] < counts[k]',
    what: 'a class may lose its last training image',
    tests: ['test/data.hold-out.test.ts'],
  },
  {
    id: 'neighbours-not-smoothed',
    file: 'src/data/text/cooccurrence.ts',
    find: 'const SMOOTHING = 0.75;',
    replace: 'const SMOOTHING = 1;',
    what: 'rare neighbours of a word are overrated',
    tests: words,
  },
  {
    id: 'nearest-by-product',
    file: 'src/data/text/nearest.ts',
    find: 'const cosine = product / norms[v];',
    replace: 'const cosine = product;',
    what: 'the nearest word is one of large numbers',
    tests: words,
  },
  {
    id: 'unknown-words-as-the-first',
    file: 'src/data/text/encoding.ts',
    find: 'rows.get(token) ?? UNKNOWN',
    replace: 'rows.get(token) ?? 2',
    what: 'words that are not known are taken for the most frequent',
    tests: words,
  },
  {
    id: 'texts-not-cut-told',
    file: 'src/data/text/assemble-texts.ts',
    find: "if (part === 'train' && own.length > length) cut++;",
    replace: "if (part === 'train' && own.length < length) cut++;",
    what: 'another number of texts is said to be cut',
    tests: texts,
  },
  {
    id: 'archive-cut-in-what-is-passed-over',
    file: 'src/data/tar.ts',
    find: 'if (source.taken < end) throw cutShort();',
    replace: '',
    what: 'an archive that ends in a file that is passed over counts as whole',
    tests: ['test/data.stl10.test.ts'],
  },
  {
    id: 'names-of-other-pictures',
    file: 'src/data/loose-images.ts',
    find: 'decoded.kept.map((i) => files[i])',
    replace: 'decoded.kept.map((_, i) => files[i])',
    what: 'where a picture was left out, answers stand beside the names of others',
    tests: ['test/predict.test.ts'],
  },
];
