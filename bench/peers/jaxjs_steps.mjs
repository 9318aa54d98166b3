/**
 * One trial of jax-js: the LeNet meta-step. `grad` lets no gradient through to arguments that it does not differentiate, so
 * the inner gradient closes over images and rates.
 */
import { parseArgs } from 'node:util';
import { readArrays, readTask, writeResults } from '../suite/arrays.mjs';
import { measureMemory } from '../suite/memory.mjs';
import { median, time } from '../suite/statistics.mjs';

const { values: flags } = parseArgs({
  options: {
    inputs: { type: 'string' },
    results: { type: 'string' },
    seconds: { type: 'string' },
    backend: { type: 'string' },
  },
});
globalThis.navigator ??= {};
const { defaultDevice, grad, init, lax, numpy: np } = await import('@jax-js/jax');
await init(flags.backend);
defaultDevice(flags.backend);

const relu = (x) => np.maximum(x, 0);
/** The larger of neighbours along both axes of the maps. */
function pool(x) {
  const [N, C, H, W] = x.shape;
  return np.max(np.max(x.reshape([N, C, H / 2, 2, W / 2, 2]), 5), 3);
}
const convolve = (x, w, b, padding) =>
  lax
    .conv(
      x,
      w,
      [1, 1],
      [
        [padding, padding],
        [padding, padding],
      ],
    )
    .add(b.reshape([1, b.shape[0], 1, 1]));
const linear = (x, w, b) => np.matmul(x, np.transpose(w)).add(b);

/** Takes ownership of its arguments, as everything of jax-js does. */
function lenet([w1, b1, w2, b2, w3, b3, w4, b4, w5, b5], x) {
  const N = x.shape[0];
  const maps = relu(pool(convolve(relu(pool(convolve(x, w1, b1, 2))), w2, b2, 0)));
  return linear(relu(linear(relu(linear(maps.reshape([N, 400]), w3, b3)), w4, b4)), w5, b5);
}

function crossEntropy(z, y) {
  const [N] = z.shape;
  const shifted = z.ref.sub(lax.stopGradient(np.max(z, 1, { keepdims: true })));
  const logSum = np.log(np.sum(np.exp(shifted.ref), 1, { keepdims: true }));
  return np.sum(y.mul(logSum.sub(shifted))).mul(1 / N);
}

const shapes = [[6, 1, 5, 5], [6], [16, 6, 5, 5], [16], [120, 400], [120], [84, 120], [84], [10, 84], [10]];
function parametersOf(theta) {
  let at = 0;
  return shapes.map((shape) => {
    const size = shape.reduce((product, n) => product * n, 1);
    at += size;
    return np.array(theta.slice(at - size, at)).reshape(shape);
  });
}

const arrays = readArrays(flags.inputs);
const { steps, epochs } = readTask(flags.inputs);
const peak = measureMemory();
const theta = parametersOf(arrays.parameters.data);
const load = ({ data, shape }) => np.array(data).reshape([...shape]);
const [images, rates, x, y] = ['images', 'rates', 'realImages', 'realLabels'].map((name) =>
  load(arrays[name]),
);
const labels = Array.from({ length: steps }, (_, t) => {
  const [, n, K] = arrays.labels.shape;
  return np.array(arrays.labels.data.slice(t * n * K, (t + 1) * n * K)).reshape([n, K]);
});

function metaLoss({ images, rates }) {
  let p = theta.map((value) => value.ref);
  for (let t = 0; t < steps * epochs; t++) {
    const batch = t % steps;
    const inner = (q) => crossEntropy(lenet(q, images.ref.slice(batch)), labels[batch].ref);
    const bars = grad(inner)(p.map((value) => value.ref));
    p = p.map((value, i) => value.sub(bars[i].mul(rates.ref.slice(t))));
  }
  images.dispose();
  rates.dispose();
  return crossEntropy(lenet(p, x.ref), y.ref);
}

let results;
async function step() {
  const bars = grad(metaLoss)({ images: images.ref, rates: rates.ref });
  results = { imagesBar: await bars.images.data(), ratesBar: await bars.rates.data() };
}

await step();
const report = {};
if (flags.results) writeResults(flags.results, results);
else report.ms = median(await time(step, { seconds: Number(flags.seconds), repeats: 1 }));
console.log(JSON.stringify({ ...report, memory: peak() }));
