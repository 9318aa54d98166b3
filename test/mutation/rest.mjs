const whole = ['test/files.whole.test.ts'];
const atomic = 'src/util/atomic-file.ts';

/** Files, streams, statuses and shaders. */
export const rest = [
  {
    id: 'no-fsync',
    file: atomic,
    find: '    await file.sync();\n',
    replace: '',
    what: 'atomic writes without fsync',
    tests: whole,
  },
  {
    id: 'folder-not-synchronised',
    file: atomic,
    find: '  await syncFolder(dirname(target));\n',
    replace: '',
    what: 'the folder is not synchronised after a rename',
    tests: whole,
  },
  {
    id: 'no-rename',
    file: atomic,
    find: "    const file = await open(temporary, 'w');\n    await syncAndClose(file, () => file.writeFile(bytes));\n    await rename(temporary, target);\n",
    replace:
      "    const file = await open(target, 'w');\n    await syncAndClose(file, () => file.writeFile(bytes));\n    void rename;\n",
    what: 'files are written straight into their place',
    tests: whole,
  },
  {
    id: 'augmentation-from-batches',
    file: 'src/train/streams.ts',
    find: '  augmentation: 22,',
    replace: '  augmentation: 21,',
    what: 'augmentation draws from the stream of the minibatches',
    tests: ['test/streams.test.ts'],
  },
  {
    id: 'augmentation-drawn-as-batches',
    file: 'src/train/minibatch.ts',
    find: 'const draw = { state, stream: streams.augmentation, members: 1 };',
    replace: 'const draw = { state, stream: streams.minibatch, members: 1 };',
    what: 'augmentation is drawn with the number of the minibatches',
    tests: ['test/streams.test.ts'],
  },
  {
    id: 'own-fault-exits-2',
    file: 'src/cli/main.ts',
    find: 'return known ? 2 : 1;',
    replace: 'return 2;',
    what: "a fault of limbeck's own exits with 2 like a user's mistake",
    tests: ['test/cli.status.test.ts'],
  },
  {
    id: 'subgroup-sum-without-barrier',
    file: 'shaders/with/subgroups.wgsl',
    find: '      partials[lane / size] = sum;\n    }\n    workgroupBarrier();\n',
    replace: '      partials[lane / size] = sum;\n    }\n',
    what: 'a barrier is missing in the subgroup sum',
    tests: ['test/shaders.barriers.test.ts'],
  },
  {
    id: 'subgroup-sums-overtake',
    file: 'shaders/with/subgroups.wgsl',
    find: '    workgroupBarrier(); // everyone has read the sums before\n',
    replace: '',
    what: 'a subgroup sum overwrites what others still read of the one before',
    tests: ['test/shaders.barriers.test.ts'],
  },
];
