/** Flat arrays for the calls: float32 values, so that every engine starts from the same numbers. */
import { createNetwork } from '../../src/networks/index.js';
import { Stream } from '../../src/util/random.js';
import type { OracleNetwork } from './oracle-networks.js';

export function normals(length: number, stream: number, gain = 1): Float32Array {
  const source = new Stream(11, stream);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = gain * source.normal(i);
  return values;
}

/** Rows of one-hot labels, or of soft ones, which need not add up to 1. */
export function labelRows(rows: number, K: number, stream: number, soft: boolean): Float32Array {
  const source = new Stream(12, stream);
  const labels = new Float32Array(rows * K);
  for (let row = 0; row < rows; row++) labels[row * K + (source.u32(row) % K)] = 1;
  return soft ? labels.map((value, i) => value + 0.2 * source.normal(rows + i)) : labels;
}

/** P networks that are not too far from the fresh ones of the field; nothing in them is exactly 0 or 1. */
export function freshParameters(network: OracleNetwork, P: number): Float32Array {
  const built = createNetwork(network as Parameters<typeof createNetwork>[0]);
  const parameters = new Float32Array(P * built.count);
  for (let p = 0; p < P; p++)
    for (const { shape, offset, kind, fanIn, fanOut } of built.parameters) {
      const length = shape.reduce((a, b) => a * b, 1);
      const gain = kind === 'weight' ? Math.sqrt(2 / (fanIn + fanOut)) : 0.1;
      const values = normals(length, 100 + p * 1000 + offset, gain);
      if (kind === 'scale') for (let i = 0; i < length; i++) values[i] += 1;
      parameters.set(values, p * built.count + offset);
    }
  return parameters;
}
