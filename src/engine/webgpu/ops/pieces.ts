import type { Kernel } from '../../kernel.js';

/** out = the sum of the pieces that a tiled gradient of weights leaves behind: parts `[S, M]`, out `[M]`. */
export const sumKernel: Kernel = {
  name: 'pieces.sum',
  operands: { parts: 'read', out: 'write' },
  sizes: ['P', 'S', 'M'],
  constants: [],
  kind: 'multilinear',
  reduction: (s) => s.S,
  flops: (s) => s.P * s.S * s.M,
  reference({ parts, out }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const [from, to] = [parts(p), out(p)];
      for (let i = 0; i < s.M; i++) {
        let sum = accumulate ? to[i] : 0;
        for (let piece = 0; piece < s.S; piece++) sum += from[piece * s.M + i];
        to[i] = sum;
      }
    }
  },
};
