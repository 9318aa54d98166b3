/**
 * The networks of the field once more, in float64 on the tests' own automatic differentiation: written from their
 * papers' descriptions, sharing nothing with the library but the order of parameters.
 */
import {
  add,
  constant,
  gather,
  matmul,
  multiply,
  type Node,
  power,
  rowSums,
  scale,
  scatter,
  transpose,
} from './autograd.js';
import { count, functions, type Maps, plus, range } from './oracle-maps.js';
import { concat, maxOverTime, maxPoolRows, recurrent } from './oracle-sequences.js';

export { range };

export interface OracleNetwork {
  readonly name: string;
  readonly inputShape: readonly number[];
  readonly classes: number;
  readonly [option: string]: unknown;
}

/** Walks the parameters of a network in order. */
class Oracle {
  #offset = 0;
  /** What entered the last fully connected layer. */
  features!: Node;
  /** Of every batch norm that normalises by given statistics: means and biased variances `[2 C]` of what entered it. */
  readonly observed: Node[] = [];

  constructor(
    readonly theta: Node,
    readonly N: number,
    /** Means and variances of all batch norms, in order; left out, they normalise by those of the batch. */
    private given: readonly number[] = [],
  ) {}

  take(length: number): Node {
    const start = this.#offset;
    this.#offset += length;
    return gather(
      this.theta,
      range(length, (i) => start + i),
    );
  }

  /** y = x wᵀ + b. */
  dense({ x, shape }: Maps, O: number): Maps {
    const { N } = this;
    this.features = x;
    const I = count(shape);
    const w = this.take(O * I);
    const b = gather(
      this.take(O),
      range(N * O, (i) => i % O),
    );
    return { x: add(matmul(x, transpose(w, O, I), N, I, O), b), shape: [O] };
  }

  /** Convolution through an explicit matrix of patches. */
  conv(
    { x, shape: [C, H, W] }: Maps,
    OC: number,
    kernel: number | readonly [number, number],
    padding: number,
    stride = 1,
    bias = true,
  ): Maps {
    const { N } = this;
    const [KH, KW] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
    const OH = Math.floor((H + 2 * padding - KH) / stride) + 1;
    const OW = Math.floor((W + 2 * padding - KW) / stride) + 1;
    const patch = C * KH * KW;
    const map = OH * OW;
    const patches = gather(
      x,
      range(N * map * patch, (i) => {
        const c = Math.floor(i / (KH * KW)) % C;
        const pixel = Math.floor(i / patch);
        const h = (Math.floor(pixel / OW) % OH) * stride + (Math.floor(i / KW) % KH) - padding;
        const w = (pixel % OW) * stride + (i % KW) - padding;
        return h < 0 || h >= H || w < 0 || w >= W ? -1 : ((Math.floor(pixel / map) * C + c) * H + h) * W + w;
      }),
    );
    const rows = matmul(patches, transpose(this.take(OC * patch), OC, patch), N * map, patch, OC);
    const y = gather(
      rows,
      range(
        N * OC * map,
        (i) => (Math.floor(i / (OC * map)) * map + (i % map)) * OC + (Math.floor(i / map) % OC),
      ),
    );
    const shape = [OC, OH, OW];
    return bias ? { x: add(y, this.#perChannel(this.take(OC), shape)), shape } : { x: y, shape };
  }

  /** Zero mean and unit variance over groups of channels of an image, or (`batch`) over a channel of all images. */
  norm(map: Maps, kind: string): Maps {
    if (kind === 'none') return map;
    const { x, shape } = map;
    const [C, H, W] = shape;
    const pixels = H * W;
    const channelsEach = kind === 'group' ? C / 4 : kind === 'layer' || kind === 'one-group' ? C : 1;
    const groupOf = (i: number) => {
      const channel = Math.floor(i / pixels) % C;
      return kind === 'batch'
        ? channel
        : Math.floor(i / (C * pixels)) * (C / channelsEach) + Math.floor(channel / channelsEach);
    };
    const index = range(x.value.length, groupOf);
    const groups = kind === 'batch' ? C : (this.N * C) / channelsEach;
    const mean = (a: Node) => gather(scale(scatter(a, index, groups), groups / a.value.length), index);
    const off = add(x, scale(mean(x), -1));
    const variance = mean(multiply(off, off));
    const frozen = kind === 'batch' && this.given.length > 0;
    if (frozen) {
      const first = range(C, (c) => c * pixels);
      this.observed.push(gather(mean(x), first), gather(variance, first));
    }
    const fixed = this.given.slice(0, 2 * C);
    if (frozen) this.given = this.given.slice(2 * C);
    const given = (from: number) => constant(Array.from(index, (c) => fixed[from + c]));
    const centred = frozen ? add(x, scale(given(0), -1)) : off;
    const deviation = power(plus(frozen ? given(C) : variance, 1e-5), -0.5);
    const own = () =>
      kind === 'layer'
        ? gather(
            this.take(C * pixels),
            range(x.value.length, (i) => i % (C * pixels)),
          )
        : this.#perChannel(this.take(C), shape);
    const [gamma, beta] = [own(), own()];
    return { x: add(multiply(multiply(centred, deviation), gamma), beta), shape };
  }

  #perChannel(values: Node, [C, H, W]: readonly number[]): Node {
    return gather(
      values,
      range(this.N * C * H * W, (i) => Math.floor(i / (H * W)) % C),
    );
  }

  act({ x, shape }: Maps, name: string): Maps {
    return { x: functions[name](x), shape };
  }

  /** Indices of every window of a K x K pooling, -1 outside the map: one list per output. */
  #windows({ shape: [C, H, W] }: Maps, K: number, stride: number, padding: number) {
    const [OH, OW] = [H, W].map((size) => Math.floor((size + 2 * padding - K) / stride) + 1);
    const windows = Array.from({ length: this.N * C * OH * OW }, (_, i) => {
      const map = Math.floor(i / (OH * OW)) * H * W;
      const [top, left] = [Math.floor(i / OW) % OH, i % OW].map((o) => o * stride - padding);
      return Array.from({ length: K * K }, (_, k) => {
        const [h, w] = [top + Math.floor(k / K), left + (k % K)];
        return h < 0 || h >= H || w < 0 || w >= W ? -1 : map + h * W + w;
      });
    });
    return { windows, shape: [C, OH, OW] };
  }

  /** Winners are constants of the derivative. */
  maxPool(map: Maps, K = 2, stride = 2, padding = 0): Maps {
    const { windows, shape } = this.#windows(map, K, stride, padding);
    const winners = windows.map((window) =>
      window.reduce((best, at) => (at >= 0 && (best < 0 || map.x.value[at] > map.x.value[best]) ? at : best)),
    );
    return { x: gather(map.x, Int32Array.from(winners)), shape };
  }

  avgPool(map: Maps): Maps {
    const { windows, shape } = this.#windows(map, 2, 2, 0);
    const sums = rowSums(gather(map.x, Int32Array.from(windows.flat())), windows.length, 4);
    return { x: scale(sums, 1 / 4), shape };
  }

  /** Local response normalisation over the channels i - 2 .. i + 1, as Wang et al. use it. */
  lrn({ x, shape }: Maps): Maps {
    const [C, H, W] = shape;
    const squares = multiply(x, x);
    const channel = (i: number) => Math.floor(i / (H * W)) % C;
    const parts = [-2, -1, 0, 1].map((by) =>
      gather(
        squares,
        range(x.value.length, (i) => (channel(i) + by < 0 || channel(i) + by >= C ? -1 : i + by * H * W)),
      ),
    );
    const d = plus(scale(parts.reduce(add), 0.001 / 9 / 4), 1);
    return { x: multiply(x, power(d, -0.75)), shape };
  }

  globalAvgPool({ x, shape: [C, H, W] }: Maps): Maps {
    return { x: scale(rowSums(x, this.N * C, H * W), 1 / (H * W)), shape: [C] };
  }
}

type Option = Record<'width' | 'depth' | 'filters' | 'hidden' | 'layers', number> &
  Record<'norm' | 'activation' | 'pooling', string> & { bidirectional: boolean };
type Definition = (o: Oracle, x: Maps, classes: number, options: Option) => Maps;

/** VGG with so many convolutions in each of its five stages. */
const vgg =
  (counts: readonly number[]): Definition =>
  (o, x, classes, { width = 64, norm = 'instance', activation = 'relu' }) => {
    let map = x;
    counts.forEach((count, stage) => {
      for (let i = 0; i < count; i++) {
        const padding = map === x && x.shape[0] === 1 ? 3 : 1;
        map = o.act(o.norm(o.conv(map, [1, 2, 4, 8, 8][stage] * width, 3, padding), norm), activation);
      }
      map = o.maxPool(map);
    });
    return o.dense(map, classes);
  };

/** ResNet with so many blocks in each of its four stages; `convolutions`: of a block, by kernel size and widening. */
const resnet =
  (counts: readonly number[], convolutions: readonly (readonly [number, number])[]): Definition =>
  (o, x, classes, { width = 64, norm = 'instance', activation = 'relu', ...options }) => {
    const strided = (options as { downsampling?: string }).downsampling !== 'avg';
    const stride = (halving: boolean) => (halving && strided ? 2 : 1);
    const pooled = (map: Maps, halving: boolean) => (halving && !strided ? o.avgPool(map) : map);
    const last = convolutions.length - 1;
    let map = o.act(o.norm(o.conv(x, width, 3, 1, 1, false), norm), activation);
    counts.forEach((count, stage) => {
      for (let block = 0; block < count; block++) {
        const halving = stage > 0 && block === 0;
        const OC = 2 ** stage * width;
        const wider = convolutions[last][1] * OC;
        let branch = map;
        convolutions.forEach(([K, widening], i) => {
          // The first 3x3 convolution takes the stride, or has the pooling behind its activation.
          const here = halving && K === 3 && !convolutions.slice(0, i).some(([size]) => size === 3);
          branch = o.norm(o.conv(branch, widening * OC, K, (K - 1) / 2, stride(here), false), norm);
          if (i < last) branch = pooled(o.act(branch, activation), here);
        });
        const same = !halving && map.shape[0] === wider;
        const shortcut = same
          ? map
          : o.norm(pooled(o.conv(map, wider, 1, 0, stride(halving), false), halving), norm);
        map = o.act({ x: add(branch.x, shortcut.x), shape: branch.shape }, activation);
      }
    });
    return o.dense(strided ? o.globalAvgPool(map) : map, classes);
  };

const basic = [
  [3, 1],
  [3, 1],
] as const;
const bottleneck = [
  [1, 1],
  [3, 1],
  [1, 4],
] as const;

const networks: Record<string, Definition> = {
  mlp(o, x, classes, { width = 128 }) {
    const first = o.act(o.dense(x, width), 'relu');
    return o.dense(o.act(o.dense(first, width), 'relu'), classes);
  },
  lenet(o, x, classes) {
    const first = o.maxPool(o.act(o.conv(x, 6, 5, x.shape[2] === 28 ? 2 : 0), 'relu'));
    const second = o.maxPool(o.act(o.conv(first, 16, 5, 0), 'relu'));
    const hidden = o.act(o.dense(o.act(o.dense(second, 120), 'relu'), 84), 'relu');
    return o.dense(hidden, classes);
  },
  alexcifarnet(o, x, classes) {
    const first = o.lrn(o.maxPool(o.act(o.conv(x, 64, 5, 2), 'relu'), 3, 2, 1));
    const second = o.maxPool(o.lrn(o.act(o.conv(first, 64, 5, 2), 'relu')), 3, 2, 1);
    const hidden = o.act(o.dense(o.act(o.dense(second, 384), 'relu'), 192), 'relu');
    return o.dense(hidden, classes);
  },
  convnet(o, x, classes, { width = 128, depth = 3, ...options }) {
    const { norm = 'instance', activation = 'relu', pooling = 'avg' } = options;
    let map = x;
    for (let block = 0; block < depth; block++) {
      const wide = block === 0 && x.shape[0] === 1;
      map = o.act(o.norm(o.conv(map, width, 3, wide ? 3 : 1), norm), activation);
      if (pooling !== 'none') map = pooling === 'avg' ? o.avgPool(map) : o.maxPool(map);
    }
    return o.dense(map, classes);
  },
  alexnet(o, x, classes, { width = 128, norm = 'none' }) {
    const block = (map: Maps, OC: number, K: number, padding: number) =>
      o.act(o.norm(o.conv(map, OC, K, padding), norm), 'relu');
    const second = o.maxPool(
      block(o.maxPool(block(x, width, 5, x.shape[0] === 1 ? 4 : 2)), 1.5 * width, 5, 2),
    );
    return o.dense(
      o.maxPool(block(block(block(second, 2 * width, 3, 1), 1.5 * width, 3, 1), 1.5 * width, 3, 1)),
      classes,
    );
  },
  textconvnet(o, x, classes, { filters = 100 }) {
    const branches = [3, 4, 5].map((height) =>
      maxOverTime(o, o.act(o.conv(x, filters, [height, x.shape[2]], 0), 'relu')),
    );
    return o.dense(concat(o, branches), classes);
  },
  rnn: (o, x, classes, { hidden = 100, layers = 2, bidirectional = true }) =>
    o.dense(recurrent(o, x, 1, hidden, layers, bidirectional), classes),
  lstm: (o, x, classes, { hidden = 100, layers = 2, bidirectional = true }) =>
    o.dense(recurrent(o, x, 4, hidden, layers, bidirectional), classes),
  convlstm(o, { x, shape: [C, L, W] }, classes, { filters = 16, hidden = 10 }) {
    const filtered = o.act(o.conv({ x, shape: [C * L, 1, W] }, filters, [1, 5], 0), 'relu');
    return o.dense(recurrent(o, maxPoolRows(o, filtered, 4), 4, hidden, 1, false), classes);
  },
  vgg11: vgg([1, 1, 2, 2, 2]),
  vgg13: vgg([2, 2, 2, 2, 2]),
  vgg16: vgg([2, 2, 3, 3, 3]),
  vgg19: vgg([2, 2, 4, 4, 4]),
  resnet18: resnet([2, 2, 2, 2], basic),
  resnet34: resnet([3, 4, 6, 3], basic),
  resnet50: resnet([3, 4, 6, 3], bottleneck),
};

function run(network: OracleNetwork, theta: Node, x: Node, N: number, given?: readonly number[]) {
  const { name, inputShape, classes, ...options } = network;
  const walk = new Oracle(theta, N, given);
  const { logits: outputs, ...own } = options as Option & { logits?: 1 };
  const { x: logits } = networks[name](walk, { x, shape: inputShape }, outputs ?? classes, own);
  // A single logit stands for two: 0, and itself.
  const z = outputs
    ? gather(
        logits,
        range(2 * N, (i) => (i % 2 ? (i - 1) / 2 : -1)),
      )
    : logits;
  return { z, features: walk.features, observed: walk.observed };
}

/** Logits `[N, classes]` of images x `[N, C, H, W]`. */
export const logits = (network: OracleNetwork, theta: Node, x: Node, N: number): Node =>
  run(network, theta, x, N).z;

/** What enters the classifier, `[N, features]`. */
export const features = (network: OracleNetwork, theta: Node, x: Node, N: number): Node =>
  run(network, theta, x, N).features;

/** Logits under given statistics of batch norms, and means and variances of what enters each of these. */
export const observed = (network: OracleNetwork, theta: Node, x: Node, N: number, given: readonly number[]) =>
  run(network, theta, x, N, given);
