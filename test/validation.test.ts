/** Looks at the validation split: as the set is used, but for no longer than a look may take. */
import { afterAll, expect, test } from 'vitest';
import { MeasuringDevice } from '../src/engine/measuring.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { findProtocol } from '../src/eval/find-protocol.js';
import { setOfImages } from '../src/index.js';
import { resolveOptions } from '../src/runs/options.js';
import { Validation } from '../src/runs/validation.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';

const data = twoClasses();
const reference = new ReferenceDevice();
afterAll(() => reference.dispose());

/** Steps of training that a look takes where all images are in every step. */
async function stepsOf(protocol: string): Promise<number> {
  const { images, labels } = data.train;
  const set = setOfImages(data, { images, labels }, { values: 'pixels', network: smallNetwork, protocol });
  const device = new MeasuringDevice(reference);
  const validation = await Validation.create(device, data, set, resolveOptions({ validationNetworks: 2 }));
  const [training] = device.loaded.filter(({ program }) => program.name.startsWith('train on'));
  await validation.accuracy(set);
  validation.dispose();
  return training.runs;
}

test('trains for 300 epochs at most, and for fewer where the protocol has fewer', async () => {
  const epochs = (name: string) => {
    const { training } = findProtocol(name);
    return typeof training === 'object' ? training.epochs : 0;
  };
  const names = ['dc', 'dsa', 'rat'];
  expect(names.map(epochs)).toEqual([301, 1001, 200]);
  expect(await Promise.all(names.map(stepsOf))).toEqual([300, 300, 200]);
});
