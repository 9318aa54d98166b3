const group = 'src/runs/experts/group.ts';
const train = ['test/experts.train.test.ts'];
const files = ['test/experts.files.test.ts'];
const refused = ['test/experts.refused.test.ts'];

/** Expert trajectories: whether they go on to the same bytes, and are read as they were written. */
export const experts = [
  {
    id: 'experts-go-on-from-the-first-batch',
    file: group,
    find: 'const first = epoch * batchesOf(training, rows).perEpoch;',
    replace: 'const first = 0;',
    what: 'experts that go on draw the batches of the first epoch',
    tests: train,
  },
  {
    id: 'experts-in-one-order',
    file: 'src/runs/experts/program.ts',
    find: 'stream: streams.expertBatch, firstClass: first }',
    replace: 'stream: streams.expertBatch, firstClass: 0 }',
    what: 'the order of an expert depends on its place in the population',
    tests: train,
  },
  {
    id: 'experts-augmented-by-place',
    file: group,
    find: '{ rows, rate, seed, firstMember, first }',
    replace: '{ rows, rate, seed, firstMember: 0 * firstMember, first }',
    what: 'the augmentation of an expert depends on its place in the population',
    tests: train,
  },
  {
    id: 'experts-forget-their-state',
    file: group,
    find: 'await this.#kept[name].write(own, at * own.length);',
    replace: 'void own;',
    what: 'velocities are zero where a training goes on',
    tests: train,
  },
  {
    id: 'experts-keep-old-states',
    file: group,
    find: 'if (this.#isStateful) await folder.dropStates(number);',
    replace: '',
    what: 'states of finished experts stay',
    tests: train,
  },
  {
    id: 'experts-mean-of-all',
    file: group,
    find: 'await mean?.write(new Float32Array(mean.length));',
    replace: '',
    what: 'the mean of an epoch goes on from that of the epoch before',
    tests: train,
  },
  {
    id: 'experts-less-what-is-along',
    file: 'src/train/minibatch.ts',
    find: 'reduce.dot(r, { a: here, b: up }), by }, -gap)',
    replace: 'reduce.dot(r, { a: here, b: up }), by }, 0 * gap)',
    what: 'all of the gradient here is taken away, not what is across the one uphill',
    tests: train,
  },
  {
    id: 'experts-unchecked',
    file: 'src/data/experts/format.ts',
    find: 'return crc32(bytes.subarray(0, length)) === expected',
    replace: 'return crc32(bytes.subarray(0, length)) >= 0 * expected',
    what: 'checksums of snapshots are not compared',
    tests: files,
  },
  {
    id: 'experts-header-unchecked',
    file: 'src/data/experts/format.ts',
    find: 'expected.some((byte, i) => byte !== bytes[i])',
    replace: 'expected.some((byte) => byte < 0)',
    what: 'the header is not held to its checksum',
    tests: files,
  },
  {
    id: 'experts-one-word-short',
    file: 'src/runs/experts/train.ts',
    find: 'if (bytesOnDisk <= bytesFree)',
    replace: 'if (bytesOnDisk <= bytesFree + 1)',
    what: 'a disk one byte too full is taken for large enough',
    tests: refused,
  },
];
