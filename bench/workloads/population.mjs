import train from './convnet-train-20.mjs';

/** What a network costs in a population: `P` ConvNets at once, four steps of SGD each on ten images. */
export const population = (width, P) => ({
  ...train,
  title: `${P} ConvNet${P > 1 ? 's' : ''} of width ${width} at once, 4 SGD steps each on 10 distilled images`,
  peers: [],
  sizes: {
    full: { width, n: 10, T: 4, networks: P, members: P },
    small: { width: 4, n: 2, T: 3, networks: P, members: P },
  },
});
