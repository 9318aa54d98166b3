/** Arrays that one process hands to another: safetensors files, which every peer can read in a few lines. */
import { readFileSync, writeFileSync } from 'node:fs';
import { decodeSafetensors, encodeSafetensors } from '../../dist/util/safetensors.js';

/** `arrays` are `{ shape, data }` by name; `task` travels with them. */
export function writeArrays(path, arrays, task = {}) {
  writeFileSync(path, encodeSafetensors(arrays, { task: JSON.stringify(task) }));
}

export const readArrays = (path) => decodeSafetensors(readFileSync(path)).tensors;

/** What the arrays of a file are for: the kind of workload and its sizes. */
export const readTask = (path) => JSON.parse(decodeSafetensors(readFileSync(path)).metadata.task);

export const writeResults = (path, results) =>
  writeArrays(
    path,
    Object.fromEntries(
      Object.entries(results).map(([name, values]) => [
        name,
        { shape: [values.length], data: Float32Array.from(values) },
      ]),
    ),
  );

export const readResults = (path) =>
  Object.fromEntries(Object.entries(readArrays(path)).map(([name, { data }]) => [name, data]));
