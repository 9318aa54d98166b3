const sums = ['test/engine.cpu.sums.test.ts'];

/** The native engine. */
export const native = [
  {
    id: 'sums-cut-by-thread',
    file: 'native/ops/reduce.cc',
    find: 'const int64_t pieces = ceil_div(M, kPiece);\n  double* partial',
    replace:
      'const int64_t kPiece = ceil_div(M, max(int64_t{1}, min(int64_t{context.pool.threads()}, ceil_div(M, int64_t{16 * 1024}))));\n  const int64_t pieces = ceil_div(M, kPiece);\n  double* partial',
    what: 'sums are cut into as many pieces as there are threads',
    tests: sums,
  },
  {
    id: 'sums-as-threads-come',
    file: 'native/ops/reduce.cc',
    find: '  each_chunk(context, P * M <= 2 * kPiece, P * pieces, [&](int64_t chunk, int) {\n    const int64_t from = chunk % pieces * kPiece;\n    partial[chunk] = piece(',
    replace:
      '  for (int64_t i = 0; i < P * pieces; i++) partial[i] = 0;\n  each_chunk(context, P * M <= 2 * kPiece, P * pieces, [&](int64_t chunk, int worker) {\n    const int64_t from = chunk % pieces * kPiece;\n    partial[chunk / pieces * pieces + worker % pieces] += piece(',
    what: 'every thread adds up the pieces that it happens to take',
    tests: sums,
  },
  {
    id: 'sums-of-channels-as-they-lie',
    file: 'native/strips.cc',
    find: '  if (strips.zeros) std::fill_n(sums, strips.sum_floats, 0.0f);\n',
    replace: '',
    what: 'the sums of channels that a piece lacks are what its memory held before',
    tests: ['test/blocks.test.ts'],
  },
  {
    id: 'epsilon-inside-correction',
    file: 'native/ops/adam.cc',
    find: 'theta[i] -= rate * mean / (sqrtf(square) * correction + k.epsilon);',
    replace: 'theta[i] -= rate * mean / ((sqrtf(square) + k.epsilon) * correction);',
    what: 'epsilon inside the correction',
    tests: ['test/engine.cpu.test.ts'],
  },
];
