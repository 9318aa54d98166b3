/**
 * Ten images that teach a small network to read digits: distil, look at the numbers, write the file.
 *
 *     node examples/ten-digits.mjs
 */
import { writeFile } from 'node:fs/promises';
import { distill, encodeArtefact, evaluate, generateDigits, openDevice } from 'limbeck';

const settings = { network: 'mlp', ipc: 1, steps: 1, epochs: 3, labels: 'soft', iterations: 500, batch: 256 };

const device = await openDevice('auto');
const digits = generateDigits({ train: 4000, validation: 500, test: 1000 });

const { set, options, best } = await distill(device, digits, settings, {
  onProgress: ({ iteration, iterations, loss, validationAccuracy = 0 }) => {
    if (iteration % 100 === 0)
      console.log(
        `${iteration}/${iterations}  loss ${loss.toFixed(3)}  validation ${validationAccuracy.toFixed(1)} %`,
      );
  },
});

const { accuracy, baselines } = await evaluate(device, digits, set);
console.log(`ten distilled images: ${accuracy.mean.toFixed(1)} % of the test images`);
for (const { title, mean, std } of Object.values(baselines))
  console.log(`${title}: ${mean.toFixed(1)} ± ${std.toFixed(1)} %`);

const { classNames, mean, std } = digits;
const notes = {
  dataset: 'digits',
  classNames,
  mean,
  std,
  engine: device.description,
  options,
  validationAccuracy: best.validationAccuracy,
};
await writeFile('ten-digits.safetensors', encodeArtefact({ set, notes }));
await device.dispose();

if (!(accuracy.mean > 70)) throw new Error(`expected more than 70 %, got ${accuracy.mean} %`);
