import * as crossentropy from '../engine/ops/crossentropy.js';
import * as elementwise from '../engine/ops/elementwise.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';

/** Probabilities and the way back from their gradient. */
export interface Softmax {
  /** `[n, K]`: each row positive, of sum 1. */
  readonly p: View;
  /** Records the gradient of the logits `[n, K]`: p (pBar - sum of p pBar), row by row. */
  backward(pBar: View): View;
}

/** Records the softmax of logits z `[n, K]`, row by row, from the passes of cross-entropy: those for labels of sum 1. */
export function recordSoftmax(r: Recorder, z: View): Softmax {
  const even = elementwise.fill(r, 1 / z.shape[1], r.temporary('even', z.members, z.shape));
  const { logp } = crossentropy.forward(r, { z, y: even });
  const aboveEven = crossentropy.backward(r, { logp, y: even }, 1);
  return {
    p: elementwise.add(r, { a: aboveEven, b: even }),
    backward: (pBar) => crossentropy.tangentBackward(r, { logp, y: even, zDot: pBar }, 1).zBarDot,
  };
}

/** The same of numbers `[n, K]` on the host. */
export function softmax<T extends Float32Array | Float64Array>(z: T, K: number): T {
  const p = z.slice() as T;
  for (let at = 0; at < z.length; at += K) {
    const row = z.subarray(at, at + K);
    const largest = Math.max(...row);
    const powers = Array.from(row, (value) => Math.exp(value - largest));
    const sum = powers.reduce((a, b) => a + b);
    for (let k = 0; k < K; k++) p[at + k] = powers[k] / sum;
  }
  return p;
}
