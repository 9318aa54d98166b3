import { elements, type Recorder, slice, type View } from '../engine/program.js';
import type { Layer, ParameterShape, Passes, RandomSource } from '../layers/layer.js';
import { LimbeckError, shapeText } from '../util/errors.js';

/** One parameter tensor inside the flat vector theta. */
export interface Parameter extends ParameterShape {
  /** First element in theta. */
  readonly offset: number;
  /** Which layer it belongs to. */
  readonly layer: number;
}

/**
 * A list of layers from images `[C, H, W]` to `classes` logits. Its parameters are one flat vector theta per
 * network, in forward order, weight then bias, in PyTorch's layouts.
 */
export class Network {
  /** Elements of theta. */
  readonly count: number;
  readonly parameters: readonly Parameter[];
  /** Elements of the statistics that its layers keep beside theta (batch norm). */
  readonly statisticsCount: number;
  /** Per layer. */
  readonly #statistics: readonly (readonly StatisticsPiece[])[];

  constructor(
    readonly name: string,
    readonly inputShape: readonly [number, number, number],
    readonly classes: number,
    readonly layers: readonly Layer[],
  ) {
    const parameters: Parameter[] = [];
    const statistics: StatisticsPiece[][] = [];
    let offset = 0;
    let statisticsOffset = 0;
    let shape: readonly number[] = inputShape;
    layers.forEach((layer, index) => {
      statistics[index] = (layer.statistics?.(shape) ?? []).map((piece) => {
        const at = statisticsOffset;
        statisticsOffset += elements(piece);
        return { offset: at, shape: piece };
      });
      for (const parameter of layer.parameters(shape)) {
        parameters.push({
          ...parameter,
          name: `${index}.${layer.name}.${parameter.name}`,
          layer: index,
          offset,
        });
        offset += elements(parameter.shape);
      }
      shape = layer.outputShape(shape);
    });
    if (shape.length !== 1 || shape[0] !== classes)
      throw new LimbeckError(
        'ERR_SHAPE',
        `network ${name}: the last layer gives ${shapeText(shape)}, expected [${classes}] (one logit per class)`,
      );
    this.parameters = parameters;
    this.count = offset;
    this.statisticsCount = statisticsOffset;
    this.#statistics = statistics;
  }

  /** The views of one layer's parameters in a flat theta `[count]`. */
  #viewsOf(theta: View, layer: number): View[] {
    return this.parameters
      .filter((parameter) => parameter.layer === layer)
      .map((parameter) => slice(theta, parameter.offset, parameter.shape));
  }

  /**
   * Records the forward pass on images x `[N, C, H, W]` with parameters theta `[count]`; the other passes are
   * recorded by calling the methods of the result, `backward` before `tangentBackward`.
   */
  forward(r: Recorder, x: View, theta: View, mode: NetworkMode = {}): NetworkPasses {
    const passes: Passes[] = [];
    let y = x;
    this.layers.forEach((layer, index) => {
      const piecesOf = (vector?: View) =>
        vector && this.#statistics[index].map(({ offset, shape }) => slice(vector, offset, shape));
      const recorded = layer.forward(r, y, this.#viewsOf(theta, index), {
        frozen: piecesOf(mode.frozen),
        collect: piecesOf(mode.collect),
        random: mode.random && { ...mode.random, stream: mode.random.stream + index },
      });
      passes.push(recorded);
      y = recorded.y;
    });
    const viewsOf = (vector: View | undefined, index: number) =>
      vector ? this.#viewsOf(vector, index) : undefined;
    const yBars: View[] = [];
    const xDots: (View | undefined)[] = [];
    return {
      z: y,

      backward(zBar, { thetaBar, wantX = false } = {}) {
        let bar: View | undefined = zBar;
        for (let index = passes.length - 1; index >= 0; index--) {
          yBars[index] = bar!;
          bar = passes[index].backward({
            yBar: bar!,
            thetaBar: viewsOf(thetaBar, index),
            wantX: wantX || index > 0,
          });
        }
        return bar;
      },

      tangentForward(thetaDot) {
        let dot: View | undefined;
        passes.forEach((pass, index) => {
          xDots[index] = dot;
          dot = pass.tangentForward({ xDot: dot, thetaDot: viewsOf(thetaDot, index)! });
        });
        return dot!;
      },

      tangentBackward(zBarDot, { thetaDot, thetaBarDot, wantX = false }) {
        let barDot: View | undefined = zBarDot;
        for (let index = passes.length - 1; index >= 0; index--)
          barDot = passes[index].tangentBackward({
            yBar: yBars[index],
            yBarDot: barDot,
            xDot: xDots[index],
            thetaDot: viewsOf(thetaDot, index)!,
            thetaBarDot: viewsOf(thetaBarDot, index),
            wantX: wantX || index > 0,
          });
        return barDot;
      },
    };
  }
}

interface StatisticsPiece {
  readonly offset: number;
  readonly shape: readonly number[];
}

/** What a forward pass is for; see `Mode` of a layer. Layer `i` draws its random numbers from `stream + i`. */
export interface NetworkMode {
  /** `[statisticsCount]` */
  readonly frozen?: View;
  /** `[statisticsCount]` */
  readonly collect?: View;
  readonly random?: RandomSource;
}

/** The passes of a whole network after its forward pass has been recorded. */
export interface NetworkPasses {
  /** Logits `[N, classes]`. */
  readonly z: View;
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

/** What a user writes to name a network: `{ name: 'lenet', inputShape: [1, 28, 28], classes: 10 }`. */
export interface NetworkOptions {
  readonly name: string;
  readonly inputShape: readonly [number, number, number];
  readonly classes: number;
  readonly [option: string]: unknown;
}
