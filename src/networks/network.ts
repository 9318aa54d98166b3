import type { Recorder } from '../engine/program.js';
import { elements, reshape, slice, type View } from '../engine/view.js';
import type { Layer, Mode, ParameterShape, RandomSource } from '../layers/layer.js';
import { type Sequence, sequence } from '../layers/sequence.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import type { OnnxGraph } from '../util/onnx.js';

/** One parameter tensor inside the flat vector theta. */
export interface Parameter extends ParameterShape {
  /** First element in theta. */
  readonly offset: number;
}

/** How fresh weights are drawn; see `train/initialise.ts`. */
export const weightSchemes = [
  'xavier',
  'xavier-uniform',
  'kaiming',
  'kaiming-uniform',
  'orthogonal',
  'pytorch',
] as const;
/**
 * Scheme of fresh weights: `xavier` and `kaiming` are normal, or uniform, `orthogonal` has orthonormal rows or columns, all with
 * zero biases; `pytorch` is uniform within 1 / sqrt(fan-in).
 */
export type WeightScheme = (typeof weightSchemes)[number];

/**
 * A list of layers from images `[C, H, W]` to `classes` logits. Its parameters are one flat vector theta per
 * network, in forward order, weight then bias, in PyTorch's layouts.
 */
export class Network {
  /** Elements of theta. */
  readonly count: number;
  /** Where each parameter tensor lies in theta, in order. */
  readonly parameters: readonly Parameter[];
  /** Elements of the statistics that its layers keep beside theta (batch norm). */
  readonly statisticsCount: number;
  /**
   * Where the means and variances `[2, C]` of each such layer lie in them, in order.
   *
   * @internal
   */
  readonly statistics: readonly Piece[];
  /** Whether training draws random numbers (dropout). */
  readonly draws: boolean;
  readonly #layers: Sequence;
  /** All layers but the classifier; undefined where there is none. */
  readonly #body: Sequence | undefined;

  /** As in `networkNames`. */
  readonly name: string;
  /** `[C, H, W]` of one image. */
  readonly inputShape: readonly [number, number, number];
  /** Logits, K. */
  readonly classes: number;
  /** How its fresh weights are drawn. */
  readonly weights: WeightScheme;
  /** What its fresh weights are multiplied by; left out, what is usual for their scheme. */
  readonly gain?: number;

  /**
   * `weights` is the scheme of those who published the network, where `options` ask for none.
   *
   * @internal
   */
  constructor(
    { name, inputShape, classes, weights: asked, gain }: NetworkOptions,
    layers: readonly Layer[],
    weights: WeightScheme = 'pytorch',
  ) {
    this.name = name;
    this.inputShape = inputShape;
    this.classes = classes;
    this.weights = asked ?? weights;
    this.gain = gain;
    this.#layers = sequence(...layers);
    if (layers.at(-1)?.fullyConnected) this.#body = sequence(...layers.slice(0, -1));
    this.draws = this.#layers.streams! > 0;
    const shape = this.#layers.outputShape(inputShape);
    if (shape.length !== 1 || shape[0] !== classes)
      throw new LimbeckError(
        'ERR_SHAPE',
        `network ${name}: the last layer gives ${shapeText(shape)}, expected [${classes}] (one logit per class)`,
      );
    [this.parameters, this.count] = inARow(this.#layers.parameters(inputShape));
    const statistics = this.#layers.statistics!(inputShape).map((piece) => ({ shape: piece }));
    [this.statistics, this.statisticsCount] = inARow(statistics);
  }

  /**
   * Records the forward pass on images x `[N, C, H, W]` with parameters theta `[count]`; the other passes are
   * recorded by calling the methods of the result, `backward` before `tangentBackward`.
   *
   * @internal
   */
  forward(r: Recorder, x: View, theta: View, mode: NetworkMode = {}): NetworkPasses {
    const piecesOf = (vector: View) => cut(vector, this.parameters);
    const passes = this.#layers.forward(r, x, piecesOf(theta), this.#modeOf(mode));
    let zBarSeen: View;
    return {
      z: passes.y,
      outputs: passes.outputs,
      backward(zBar, { thetaBar, wantX = false } = {}) {
        zBarSeen = zBar;
        return passes.backward({ yBar: zBar, thetaBar: thetaBar && piecesOf(thetaBar), wantX });
      },
      tangentForward: (thetaDot) => passes.tangentForward({ thetaDot: piecesOf(thetaDot) })!,
      tangentBackward: (zBarDot, { thetaDot, thetaBarDot, wantX = false }) =>
        passes.tangentBackward({
          yBar: zBarSeen,
          yBarDot: zBarDot,
          thetaDot: piecesOf(thetaDot),
          thetaBarDot: thetaBarDot && piecesOf(thetaBarDot),
          wantX,
        }),
    };
  }

  /**
   * Adds the network with parameters theta `[count]`, as it is after training, to an ONNX graph, for images x `[N, C, H, W]`;
   * returns the name of the logits. `statistics` `[statisticsCount]` is what batch norm normalises by.
   *
   * @internal
   */
  onnx(
    graph: OnnxGraph,
    x: string,
    theta: Float32Array,
    statistics: Float32Array = new Float32Array(),
  ): string {
    const valuesOf = (vector: Float32Array, { offset, shape }: Piece) =>
      vector.subarray(offset, offset + elements(shape));
    return this.#layers.onnx(graph, x, {
      inputShape: this.inputShape,
      parameters: this.parameters.map((one) => graph.constant(one.shape, valuesOf(theta, one), one.name)),
      statistics: this.statistics.map((one) => valuesOf(statistics, one)),
    });
  }

  /** Elements of an image's features: what enters the classifier. ERR_OPTION where the last layer is not fully connected. */
  get features(): number {
    return elements(this.#beforeClassifier().outputShape(this.inputShape));
  }

  /**
   * Records the features of images x `[N, C, H, W]`, and nothing of the classifier; their gradient by calling `backward` of the
   * result.
   *
   * @internal
   */
  featurePasses(r: Recorder, x: View, theta: View, mode: NetworkMode = {}): FeaturePasses {
    const body = this.#beforeClassifier();
    const pieces = cut(theta, this.parameters).slice(0, body.parameters(this.inputShape).length);
    const { y, outputs, backward } = body.forward(r, x, pieces, this.#modeOf(mode));
    return {
      features: reshape(y, [x.shape[0], this.features]),
      outputs,
      backward: (bar, outputBars) => backward({ yBar: reshape(bar, y.shape), wantX: true, outputBars })!,
    };
  }

  #beforeClassifier(): Sequence {
    if (!this.#body)
      throw new LimbeckError(
        'ERR_OPTION',
        `network ${this.name} has no features: its last layer is not fully connected, expected a linear layer of ${this.classes} logits`,
      );
    return this.#body;
  }

  #modeOf({ frozen, collect, collectBar, random }: NetworkMode): Mode {
    const [own, ofBatch, bars] = [frozen, collect, collectBar].map(
      (vector) => vector && cut(vector, this.statistics),
    );
    return { frozen: own, collect: ofBatch, collectBar: bars, random };
  }
}

/** A tensor inside a flat vector. */
export interface Piece {
  /** First element. */
  readonly offset: number;
  readonly shape: readonly number[];
}

/** Tensors one after the other in a flat vector, and its length. */
export function inARow<T extends Omit<Piece, 'offset'>>(tensors: readonly T[]): [(T & Piece)[], number] {
  let length = 0;
  const pieces = tensors.map((tensor) => {
    const offset = length;
    length += elements(tensor.shape);
    return { ...tensor, offset };
  });
  return [pieces, length];
}

export const cut = (vector: View, pieces: readonly Piece[]): View[] =>
  pieces.map(({ offset, shape }) => slice(vector, offset, shape));

/** What a forward pass is for; see `Mode` of a layer. */
export interface NetworkMode {
  /** `[statisticsCount]` */
  readonly frozen?: View;
  /** `[statisticsCount]` */
  readonly collect?: View;
  /** `[statisticsCount]` */
  readonly collectBar?: View;
  readonly random?: RandomSource;
}

/** The passes of a whole network after its forward pass has been recorded. */
export interface NetworkPasses {
  /** Logits `[N, classes]`. */
  readonly z: View;
  /** The output of every layer; the last one is z. */
  readonly outputs: readonly View[];
  /** Fills thetaBar (if given) and returns xBar (if wanted). */
  backward(zBar: View, o?: { thetaBar?: View; wantX?: boolean }): View | undefined;
  /** zDot for a tangent of the parameters; the images have none. */
  tangentForward(thetaDot: View): View;
  /** Fills thetaBarDot (if given) and returns xBarDot (if wanted); after `backward` and `tangentForward`. */
  tangentBackward(
    zBarDot: View,
    o: { thetaDot: View; thetaBarDot?: View; wantX?: boolean },
  ): View | undefined;
}

/** The passes of a network without its classifier. */
export interface FeaturePasses {
  /** `[N, features]` */
  readonly features: View;
  /** The output of every layer before the classifier. */
  readonly outputs: readonly View[];
  /** xBar for a cotangent of the features and, at their layer's index, of outputs. */
  backward(featuresBar: View, outputBars?: readonly (View | undefined)[]): View;
}

/** What a user writes to name a network: `{ name: 'lenet', inputShape: [1, 28, 28], classes: 10 }`. */
export interface NetworkOptions {
  /** One of `networkNames`. */
  readonly name: string;
  /** `[C, H, W]` of one image. */
  readonly inputShape: readonly [number, number, number];
  /** Logits, K; at least 2. */
  readonly classes: number;
  /** How fresh weights are drawn; default the network's own scheme. */
  readonly weights?: WeightScheme;
  /** What fresh weights are multiplied by (not for `pytorch`); default 1, for Kaiming's schemes the root of 2. */
  readonly gain?: number;
  /** 1: two classes share a single logit, the log odds of the second. */
  readonly logits?: 1;
  /** The network's own options: `width`, `depth`, `norm`, `layers` and so on. */
  readonly [option: string]: unknown;
}
