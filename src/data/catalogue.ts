/** One file of a published data set. */
export interface PublishedFile {
  readonly name: string;
  /** In hexadecimal; missing where none was published: the file is then only checked to be complete. */
  readonly md5?: string;
}

export interface PublishedSet {
  /** For people. */
  readonly title: string;
  /** `[C, H, W]` */
  readonly imageShape: readonly [number, number, number];
  readonly classes: number;
  /** Folders to fetch from, in this order; each ends with a slash. */
  readonly mirrors: readonly string[];
  readonly files: readonly PublishedFile[];
  /** What to give as `dataset` once the files are there, below their folder. */
  readonly open?: string;
}

const idx = (...sums: readonly string[]): PublishedFile[] =>
  ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'].map((name, i) => ({
    name: `${name}-ubyte.gz`,
    md5: sums[i],
  }));

/** What `limbeck download` knows. The sums are those that the publishers or torchvision's loaders state. */
export const catalogue: Readonly<Record<string, PublishedSet>> = {
  mnist: {
    title: 'MNIST, 70,000 grey digits of 28x28',
    imageShape: [1, 28, 28],
    classes: 10,
    mirrors: [
      'https://ossci-datasets.s3.amazonaws.com/mnist/',
      'https://storage.googleapis.com/cvdf-datasets/mnist/',
    ],
    files: idx(
      'f68b3c2dcbeaaa9fbdd348bbdeb94873',
      'd53e105ee54ea40749a09fcbcd1e9432',
      '9fb629c4189551a2d022fa330f9573f3',
      'ec29112dd5afa0611ce80d1b7f02629c',
    ),
  },
  'fashion-mnist': {
    title: 'Fashion-MNIST, 70,000 grey pieces of clothing of 28x28',
    imageShape: [1, 28, 28],
    classes: 10,
    mirrors: [
      'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
      'https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/',
    ],
    files: idx(
      '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
      '25c81989df183df01b3e8a0aad5dffbe',
      'bef4ecab320f06d8554ea6380940ec79',
      'bb300cfdad3c16e7a12a480ee83cd310',
    ),
  },
  cifar10: {
    title: 'CIFAR-10, 60,000 colour images of 32x32',
    imageShape: [3, 32, 32],
    classes: 10,
    mirrors: ['https://www.cs.toronto.edu/~kriz/'],
    files: [{ name: 'cifar-10-binary.tar.gz', md5: 'c32a1d4ab5d03f1284b67883e8d87530' }],
    open: 'cifar-10-binary.tar.gz',
  },
  cifar100: {
    title: 'CIFAR-100, 60,000 colour images of 32x32',
    imageShape: [3, 32, 32],
    classes: 100,
    mirrors: ['https://www.cs.toronto.edu/~kriz/'],
    files: [{ name: 'cifar-100-binary.tar.gz', md5: '03b5dce01913d631647c71ecec9e9cb8' }],
    open: 'cifar-100-binary.tar.gz',
  },
  svhn: {
    title: 'SVHN, 99,289 colour house numbers of 32x32',
    imageShape: [3, 32, 32],
    classes: 10,
    mirrors: ['http://ufldl.stanford.edu/housenumbers/'],
    files: [
      { name: 'train_32x32.mat', md5: 'e26dedcc434d2e4c54c9b2d4a06d8373' },
      { name: 'test_32x32.mat', md5: 'eb5a983be6a315427106f1b164d9cef3' },
    ],
  },
  usps: {
    title: 'USPS, 9298 grey digits of 16x16',
    imageShape: [1, 16, 16],
    classes: 10,
    mirrors: ['https://hastie.su.domains/ElemStatLearn/datasets/'],
    // No sums were published for these.
    files: [{ name: 'zip.train.gz' }, { name: 'zip.test.gz' }],
  },
};

/**
 * Whether images are those of the published data set of this name, or the generated digits, as far as shape and number of classes tell:
 * somebody's own folder may have any name.
 */
export function isAsPublished(
  name: string,
  [C, H, W]: readonly [number, number, number],
  classes: number,
): boolean {
  // Digits are generated in any size.
  if (name === 'digits') return C === 1 && H === W && classes === 10;
  // Folders are often called cifar-10.
  const known = name.replace(/^cifar-/, 'cifar');
  if (!Object.hasOwn(catalogue, known)) return false;
  const { imageShape, classes: own } = catalogue[known];
  return classes === own && `${[C, H, W]}` === `${imageShape}`;
}
