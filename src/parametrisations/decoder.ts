import * as elementwise from '../engine/ops/elementwise.js';
import { elements } from '../engine/view.js';
import { type LayerSpec, layersOf } from '../networks/layer-specs.js';
import { cut } from '../networks/network.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { text, whole } from '../util/option.js';
import { fresh, interpolating, noise, plan, shrunk, usual } from './decoder-network.js';
import { images, type Parametrisation, tooMany } from './parametrisation.js';

const options = {
  images,
  width: whole(
    8,
    'channels of the maps between latents and images; at least two for every channel of an image',
  ),
  layers: text<readonly LayerSpec[]>(
    [],
    'a decoder of your own: its layers, as network custom has them, from latents to images',
    (given) => (Array.isArray(given) ? undefined : 'a list of layers'),
    { value: '[...]', fallback: 'two transposed convolutions and a convolution' },
  ),
  latent: text<readonly number[]>(
    [],
    'shape of the latents it takes: channels, height, width',
    (given) =>
      Array.isArray(given) &&
      given.length === 3 &&
      given.every((size) => Number.isSafeInteger(size) && size > 0)
        ? undefined
        : 'three whole numbers above 0',
    { value: '[C,H,W]', fallback: 'as many channels as the budget holds' },
  ),
  weights: text<string>(
    '',
    'safetensors file of the weights of these layers, which then stay as they are and do not count: those of a generator, say',
    (given) => (typeof given === 'string' ? undefined : 'the name of a file'),
    { value: 'FILE', fallback: 'learned with the latents' },
  ),
};

/**
 * Every item has latents of its own. A small convolutional network, which all share, decodes them, and is learned with them:
 *
 *     item_n = network(latents_n; gain weights)     gain = 1 / sqrt(items x pixels)
 *
 * The usual network doubles height and width by transposed convolutions, twice where they divide by four, and ends in a convolution. It
 * begins as bilinear interpolation, and the latents begin as the first items shrunk. The gain is there because a weight
 * is in every pixel of every item: with it items change about as much with a weight as with a pixel.
 */
export const parametrisation: Parametrisation<typeof options> = {
  name: 'decoder',
  source:
    'After Zheng, Sun, Wu, Kailkhura, Mao, Xiao, Prakash: Leveraging Hierarchical Feature Sharing for Efficient Dataset Condensation, 2024',
  options,
  ignoresFirst: ({ layers }) =>
    layers.length > 0
      ? 'latents of a decoder of your own begin as noise, expected none beside layers'
      : undefined,
  perPicture: ({ images }) => images,
  decoder(pictures, shape, { images, width, layers, latent, weights: file }) {
    const [N, budget] = [pictures * images, pictures * elements(shape)];
    const own = layers.length > 0;
    if (own !== latent.length > 0)
      throw new LimbeckError(
        'ERR_OPTION',
        `parametrisation decoder: ${own ? 'layers are given without the shape of their latents' : 'latent is given without layers'}, expected both or neither`,
      );
    if (file && !own)
      throw new LimbeckError(
        'ERR_OPTION',
        'parametrisation decoder: weights are given without layers, expected layers and latent beside them',
      );
    const network = own
      ? plan(layersOf(layers, 'parametrisation decoder: layers'), latent)
      : usual(shape, { N, budget, images, width });
    const [weights, latents] = [network.count, N * elements(network.latent)];
    const made = network.layer.outputShape(network.latent);
    if (shapeText(made) !== shapeText(shape))
      throw new LimbeckError(
        'ERR_SHAPE',
        `parametrisation decoder: the layers give ${shapeText(made)} from latents of ${shapeText(network.latent)}, expected images of ${shapeText(shape)}`,
      );
    if ((file ? 0 : weights) + latents > budget)
      throw tooMany(
        images,
        `${file ? 'given' : weights} weights and ${latents} numbers of latents are no more than the ${budget} of the images stored`,
      );
    const gain = file ? 1 : 1 / Math.sqrt(N * elements(shape));
    return {
      perPicture: images,
      given: file ? 'weights' : undefined,
      variables: { latents: [N, ...network.latent], weights: [weights] },
      encode(items, { seed, given }) {
        if (given && given.length !== weights)
          throw new LimbeckError(
            'ERR_DATA',
            `${file} holds ${given.length} numbers, expected the ${weights} weights of the layers of parametrisation decoder, in their order`,
          );
        const first = given ?? fresh(network.parameters, weights, seed);
        if (!own) interpolating(first, network.parameters, shape[0]);
        return {
          latents: own ? noise(latents, seed) : shrunk(items, shape, network.latent),
          weights: first.map((weight) => weight / gain),
        };
      },
      decode(r, { latents, weights }, bars) {
        const scaled = elementwise.add(r, { a: weights, b: weights }, gain, 0);
        const passes = network.layer.forward(r, latents, cut(scaled, network.parameters));
        const itemsBar = bars && r.temporary('itemsBar', 1, passes.y.shape);
        return {
          items: passes.y,
          itemsBar,
          backward() {
            if (!itemsBar) return;
            const scaledBar = r.temporary('weightsBar', 1, weights.shape);
            const thetaBar = file ? undefined : cut(scaledBar, network.parameters);
            const latentsBar = passes.backward({ yBar: itemsBar, thetaBar, wantX: true })!;
            elementwise.add(r, { a: latentsBar, b: latentsBar }, 1, 0, bars.latents);
            if (thetaBar) elementwise.add(r, { a: scaledBar, b: scaledBar }, gain, 0, bars.weights);
          },
        };
      },
    };
  },
};
