/** Data sets as the tools that people use write them: pixels and labels are what these tools read. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { type LoadOptions, loadDataset } from '../src/data/load.js';
import { root as repository } from './harness/repository.js';

interface Expected {
  readonly tool: string;
  readonly shape: number[];
  readonly train: number[];
  readonly labels: number[];
  readonly test?: number[];
  readonly testLabels?: number[];
  readonly names: string[] | null;
  readonly options: LoadOptions;
  readonly tolerance: number;
}

interface Refused {
  readonly tool: string;
  readonly refused: { readonly code: string; readonly message: string };
}

/** Tools whose files are tried, and the Debian packages that have them. */
const PACKAGES = {
  numpy: 'python3-numpy',
  scipy: 'python3-scipy',
  pandas: 'python3-pandas',
  PIL: 'python3-pil',
  safetensors: undefined,
  torch: 'python3-torch',
  torchvision: 'python3-torchvision',
  pyarrow: undefined,
  datasets: undefined,
} as const;

const python = ['python3', '/usr/bin/python3'].find((command) => {
  try {
    execFileSync(command, ['-c', 'import numpy, PIL'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const root = mkdtempSync(join(tmpdir(), 'limbeck-tools-'));
afterAll(() => rmSync(root, { recursive: true }));

let made: { tools: Record<string, string>; sets: Record<string, Expected | Refused> } = {
  tools: {},
  sets: {},
};
if (python !== undefined) {
  execFileSync(python, ['-B', join(repository, 'test/harness/tools/write.py'), root]);
  made = JSON.parse(readFileSync(join(root, 'expected.json'), 'utf8'));
}

describe.each(Object.entries(PACKAGES))('%s', (tool, from) => {
  const sets = Object.entries(made.sets).filter(([, { tool: own }]) => own === tool);
  if (sets.length === 0)
    test('writes data sets', (context) =>
      context.skip(`no python3 here imports ${tool} (${from ? `Debian: ${from}` : `pip install ${tool}`})`));
  for (const [name, want] of sets)
    test(`${made.tools[tool]}: ${name}`, async () => {
      const refused = 'refused' in want ? want.refused : refusedCodec(name);
      if (refused || 'refused' in want)
        return expect(loadDataset(join(root, name))).rejects.toMatchObject({
          code: refused?.code,
          message: expect.stringContaining(refused!.message),
        });
      const options = { validation: 0, ...(want.test ? {} : { test: 0 }), ...want.options };
      const data = await loadDataset(join(root, name), options);
      expect(data.imageShape).toEqual(want.shape);
      expectClose(data.train.images, want.train, want.tolerance);
      expect([...data.train.labels]).toEqual(want.labels);
      if (want.test) {
        expectClose(data.test.images, want.test, want.tolerance);
        expect([...data.test.labels]).toEqual(want.testLabels);
      }
      if (want.names) expect(data.classNames).toEqual(want.names);
    });
});

/** Compressions that are refused by name: Zstandard where Node has none. */
function refusedCodec(name: string): Refused['refused'] | undefined {
  const zstd = /\/zstd/.test(name) && !('zstdDecompressSync' in zlib);
  const codec = zstd ? 'ZSTD' : name.startsWith('parquet/lz4') ? 'LZ4_RAW' : undefined;
  return (
    codec && { code: 'ERR_FILE_FORMAT', message: `is compressed by ${codec}, expected UNCOMPRESSED, SNAPPY` }
  );
}

function expectClose(images: ArrayLike<number>, values: readonly number[], tolerance: number): void {
  expect(images.length).toBe(values.length);
  const wrong = values.findIndex((value, i) => !(Math.abs(Math.fround(value) - images[i]) <= tolerance));
  expect(wrong === -1 ? undefined : [wrong, images[wrong], values[wrong]]).toBeUndefined();
}
