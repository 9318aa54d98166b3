/** A small piece of everything through the public interface, to be computed in two places and compared. */
import type * as limbeck from '../../src/browser.js';
import type { Device } from '../../src/engine/device.js';

/** Plain arrays, so that JSON carries the result. */
export async function work(
  {
    createNetwork,
    decodeArtefact,
    distill,
    distributionMatching,
    encodeArtefact,
    evaluate,
    generateDigits,
    gradientMatching,
    hessianVectorProduct,
    kernelRegression,
    metaGradient,
  }: typeof limbeck,
  device: Device,
) {
  const digits = generateDigits({ train: 40, validation: 20, test: 20, size: 16 });
  const numbers = (length: number, scale: number) =>
    Array.from({ length }, (_, i) => scale * Math.sin(1 + i + i * i * 0.37));
  const oneHot = (rows: number) =>
    Array.from({ length: rows * 10 }, (_, i) => Number(i % 10 === (i / 10) >> 0));

  // One meta-gradient, of two networks with convolutions.
  const network = { name: 'lenet', inputShape: [1, 16, 16], classes: 10 } as const;
  const { count } = createNetwork(network);
  const gradient = await metaGradient(device, {
    network,
    parameters: numbers(2 * count, 0.1),
    images: numbers(2 * 3 * 256, 1),
    labels: [...oneHot(3), ...oneHot(3)],
    learningRates: [0.05, 0.04, 0.03, 0.02],
    steps: 2,
    epochs: 2,
    realImages: numbers(5 * 256, 0.9),
    realLabels: oneHot(5),
  });

  // The other calls, on the same networks and images; groups of three and of one.
  const parameters = numbers(2 * count, 0.1);
  const batch = { network, parameters, images: numbers(6 * 256, 1) };
  const labels = oneHot(6);
  const real = { realImages: numbers(2 * 256, 0.9), realLabels: oneHot(2), groups: 2 };
  const { realLabels: _, ...unlabelled } = real;
  const product = await hessianVectorProduct(device, { ...batch, labels, vector: numbers(2 * count, 0.2) });
  const matched = await gradientMatching(device, { ...batch, labels, ...real, distance: 'rows' });
  const features = await distributionMatching(device, { ...batch, ...unlabelled });
  const { groups: __, ...ungrouped } = real;
  const regressed = await kernelRegression(device, { ...batch, labels, ...ungrouped, ridge: 0.1 });

  // A whole run: outer steps on the generated digits, a look at the validation split, the artefact, the test split.
  const progress: [number, number][] = [];
  const { set, curve, options } = await distill(
    device,
    digits,
    // Adam divides a gradient by its own size: what is rounding in one near 0 would be a whole step of a pixel.
    {
      network: 'mlp:width=12',
      iterations: 6,
      batch: 16,
      validateEvery: 3,
      steps: 2,
      epochs: 2,
      innerLr: 0.2,
      epsilon: 1e-6,
    },
    { onProgress: ({ iteration, iterations }) => void progress.push([iteration, iterations]) },
  );
  const { name: dataset, classNames, mean, std } = digits;
  const { validationAccuracy } = curve[0];
  const notes = { dataset, classNames, mean, std, engine: device.engine, options, validationAccuracy };
  const { set: stored } = decodeArtefact(encodeArtefact({ set, notes }));
  const { accuracy } = await evaluate(device, digits, stored, { baselines: ['randomReal'] });

  const rates = stored.use.kind === 'learned-steps' ? stored.use.learningRates : [];
  const plain = (values: ArrayLike<number>) => Array.from(values);
  return {
    engine: device.engine,
    gradient: {
      loss: [gradient.loss],
      images: plain(gradient.images),
      labels: plain(gradient.labels),
      learningRates: plain(gradient.learningRates),
      parameters: plain(gradient.parameters),
    },
    calls: {
      productOfParameters: plain(product.parameters),
      productOfImages: plain(product.images),
      matchedGradients: plain(matched.images),
      matchedFeatures: plain(features.images),
      regressedImages: plain(regressed.images),
      regressedLabels: plain(regressed.labels),
    },
    run: {
      images: plain(stored.images),
      learningRates: plain(rates),
      loss: curve.map(({ loss }) => loss),
    },
    progress,
    accuracy: accuracy.mean,
  };
}
