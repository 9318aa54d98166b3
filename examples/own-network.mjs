/**
 * A network of your own as a list of layers: its parameters, a short distillation with it, and the exact meta-gradient of a
 * network with weights that come from elsewhere.
 *
 *     node examples/own-network.mjs
 */
import { createNetwork, distill, evaluate, generateDigits, metaGradient, openDevice } from 'limbeck';

const network = {
  name: 'custom',
  layers: [
    { conv: 8, kernel: 3, padding: 1 },
    'instanceNorm',
    'gelu',
    { avgPool: 2 },
    { residual: [{ conv: 8, kernel: 3, padding: 1 }, 'instanceNorm'] },
    'gelu',
    { avgPool: 2 },
    { linear: 10 },
  ],
};

const { parameters, count } = createNetwork({ ...network, inputShape: [1, 16, 16], classes: 10 });
for (const { name, shape, offset } of parameters)
  console.log(`${String(offset).padStart(6)}  ${name}  [${shape.join(', ')}]`);
console.log(`${count} parameters`);

const device = await openDevice('auto');
const digits = generateDigits({ size: 16, train: 2000, validation: 300, test: 500 });

const { set } = await distill(device, digits, { network, labels: 'soft', iterations: 150, batch: 128 });
const { accuracy } = await evaluate(device, digits, set, { withBaselines: false });
console.log(`ten distilled images: ${accuracy.mean.toFixed(1)} % of the test images`);

// One network (P = 1) with weights of any origin, two inner steps on ten images, measured on twenty.
const numbers = (length) => Float32Array.from({ length }, (_, i) => 0.1 * Math.sin(1 + i * i));
const oneHot = (rows) =>
  Float32Array.from({ length: rows * 10 }, (_, i) => (Math.floor(i / 10) % 10 === i % 10 ? 1 : 0));
const { loss, learningRates } = await metaGradient(device, {
  network: { ...network, inputShape: [1, 16, 16], classes: 10 },
  parameters: numbers(count),
  images: numbers(10 * 256),
  labels: oneHot(10),
  learningRates: [0.05, 0.05],
  steps: 1,
  epochs: 2,
  realImages: numbers(20 * 256),
  realLabels: oneHot(20),
});
console.log(
  `loss ${loss.toFixed(4)}, its gradient in the learning rates ${Array.from(learningRates).join(', ')}`,
);
await device.dispose();

if (!(accuracy.mean > 40)) throw new Error(`expected more than 40 %, got ${accuracy.mean} %`);
