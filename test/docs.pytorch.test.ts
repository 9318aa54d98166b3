/** The page on PyTorch: its programs run in Python, held to the same training here. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeArtefact, decodeModel, generateDigits, metaGradient, openDevice } from '../src/index.js';
import { buildWhereStale } from './harness/command-line.js';
import { stepsOf } from './harness/distilled-set.js';
import { blocksOf, Project } from './harness/document.js';

const project = new Project();
const python = ['python3', '/usr/bin/python3'].find((command) => imports(command, 'torch, numpy'));
const blocks = Object.fromEntries(blocksOf('docs/pytorch.md').map((block) => [block.name, block]));
const code = (...names: string[]) => names.map((name) => blocks[name].code).join('\n');

function imports(command: string, modules: string): boolean {
  try {
    execFileSync(command, ['-c', `import ${modules}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

beforeAll(async () => {
  await buildWhereStale();
  const size = ['--iterations', '150', '--batch', '128', '--labels', 'soft'];
  await project.run('npx', 'limbeck', 'distill', '--dataset', 'digits', ...size, '--out', 'runs/first');
});
afterAll(() => project[Symbol.dispose]());

/** Trained parameters and test accuracy, as this package has them. */
async function trainedHere() {
  const { set } = decodeArtefact(readFileSync(join(project.folder, 'runs/first/distilled.safetensors')));
  const { testAccuracy } = JSON.parse(readFileSync(join(project.folder, 'runs/first/run.json'), 'utf8'));
  const { test, mean, std } = generateDigits({ train: 1, validation: 1, test: 10 });
  const { initialParameters, learningRates, steps, epochs } = stepsOf(set);
  await using device = await openDevice('reference');
  const { parameters } = await metaGradient(device, {
    ...{ network: set.network, parameters: initialParameters!, images: set.images, labels: set.labels },
    ...{ learningRates, steps, epochs },
    realImages: Array.from(test.images, (pixel) => (pixel / 255 - mean[0]) / std[0]),
    realLabels: Array.from({ length: 100 }, (_, i) => Number(test.labels[Math.floor(i / 10)] === i % 10)),
  });
  return { parameters, accuracy: testAccuracy.mean as number };
}

/** Runs the page's programs one after the other, as one, and holds what they trained to what is trained here. */
async function holds(loader: string) {
  const { name, code: images } = blocks['test-images.mjs'];
  project.save(name, images);
  await project.run(process.execPath, name);
  const save = `
from torch.nn.utils import parameters_to_vector
parameters_to_vector(network.parameters()).detach().numpy().astype("<f4").tofile("trained.bin")
`;
  project.save(`use-${loader}.py`, code(loader, 'train', 'measure') + save);
  const said = await project.run(python!, `use-${loader}.py`);
  const { parameters, accuracy } = await trainedHere();
  const bytes = readFileSync(join(project.folder, 'trained.bin'));
  const trained = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  expect(trained.length).toBe(parameters.length);
  let [difference, norm] = [0, 0];
  for (const [i, value] of parameters.entries()) {
    difference += (trained[i] - value) ** 2;
    norm += value ** 2;
  }
  expect(Math.sqrt(difference / norm)).toBeLessThan(1e-5);
  expect(Math.abs(Number(/(\S+) % of the test images/.exec(said)![1]) - accuracy)).toBeLessThan(0.2);
}

describe('the page on PyTorch', () => {
  it('describes what the file holds', () => {
    const { set } = decodeArtefact(readFileSync(join(project.folder, 'runs/first/distilled.safetensors')));
    expect(set.network).toMatchObject({ name: 'lenet' });
    expect(set.use).toMatchObject({ kind: 'learned-steps', init: 'fixed', steps: 1, epochs: 3 });
    expect(Object.keys(blocks)).toEqual([
      'safetensors',
      'reader',
      'train',
      'test-images.mjs',
      'measure',
      'network',
    ]);
  });

  it('trains the same network there, read by a few lines of Python', async (context) => {
    if (!python) return context.skip('no python3 here imports torch and numpy');
    return holds('reader');
  });

  it('takes the network that was trained here', async (context) => {
    if (!python) return context.skip('no python3 here imports torch and numpy');
    await project.run('npx', 'limbeck', 'train', '--on', 'runs/first/distilled.safetensors', '--out', 'net');
    const { parameters } = decodeModel(readFileSync(join(project.folder, 'net/network.safetensors')));
    const save = `
from torch.nn.utils import parameters_to_vector
parameters_to_vector(network.parameters()).detach().numpy().astype("<f4").tofile("network.bin")
`;
    project.save('network.py', code('reader', 'train', 'network') + save);
    await project.run(python, 'network.py');
    const bytes = readFileSync(join(project.folder, 'network.bin'));
    expect(new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))).toEqual(
      parameters,
    );
  });

  it('trains the same network there, read by the package safetensors', async (context) => {
    if (!python || !imports(python, 'safetensors'))
      return context.skip('no python3 here imports torch, numpy and safetensors');
    return holds('safetensors');
  });
});
