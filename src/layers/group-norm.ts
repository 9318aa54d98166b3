import * as bias from '../engine/ops/bias.js';
import * as norm from '../engine/ops/norm.js';
import type { Recorder } from '../engine/program.js';
import { elements, slice, type View } from '../engine/view.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import type { OnnxGraph } from '../util/onnx.js';
import type { Layer, ParameterShape, Passes } from './layer.js';

/**
 * Group norm (Wu and He 2018): every sample's channels in `groups` groups, each to mean 0 and variance 1, then
 * `gamma y + beta` per channel, theta = (gamma `[C]`, beta `[C]`). `instance` is one channel per group: what data set
 * distillation calls instance norm. eps is 1e-5. The formulae of all passes are in `engine/ops/norm.ts`. x, y `[N, C, ...map]`. Saves x and the
 * statistics, and their tangents between the tangent passes.
 */
export function groupNorm(groups: number | 'instance'): Layer {
  return {
    name: groups === 'instance' ? 'instancenorm' : `groupnorm-${groups}`,
    parameters(inputShape) {
      if (typeof groups === 'number' && inputShape[0] % groups)
        throw new LimbeckError(
          'ERR_SHAPE',
          `groupnorm-${groups}: the input is ${shapeText(inputShape)}, expected a number of channels that ${groups} divides`,
        );
      return normParameters(inputShape);
    },
    outputShape: (inputShape) => inputShape,
    onnx(graph, x, { inputShape, parameters }) {
      const [C, ...map] = inputShape;
      const n = normalisedGroups(graph, x, inputShape, groups === 'instance' ? C : groups);
      const [gamma, beta] = parameters.map((name) => graph.reshape(name, [C, ...map.map(() => 1)]));
      return graph.add('Add', [graph.add('Mul', [n, gamma]), beta]);
    },
    forward(r, x, [gamma, beta]) {
      const count = groups === 'instance' ? x.shape[1] : groups;
      const geometry = { groups: count, eps: 1e-5, frozen: false };
      const { y, saved } = norm.forward(r, { x, gamma, beta }, geometry);
      return normPasses(r, { x, y, saved }, geometry);
    },
  };
}

/** Adds x `[N, ...inputShape]` with every one of `groups` groups of its channels brought to mean 0 and variance 1. */
export function normalisedGroups(
  graph: OnnxGraph,
  x: string,
  inputShape: readonly number[],
  groups: number,
): string {
  const scale = graph.constant([groups], new Float32Array(groups).fill(1));
  const shift = graph.constant([groups], new Float32Array(groups));
  const cut = graph.reshape(x, [0, groups, -1]);
  const n = graph.add('InstanceNormalization', [cut, scale, shift], { epsilon: { float: 1e-5 } });
  return graph.reshape(n, [0, ...inputShape]);
}

/** gamma and beta, a scale and a shift per channel. */
export function normParameters([C]: readonly number[]): readonly ParameterShape[] {
  return [
    { name: 'weight', shape: [C], kind: 'scale', fanIn: C, fanOut: C },
    { name: 'bias', shape: [C], kind: 'shift', fanIn: C, fanOut: C },
  ];
}

/** The passes after a forward pass that `engine/ops/norm.ts` recorded: the same for every norm. */
export function normPasses(
  r: Recorder,
  { x, y, saved }: { x: View; y: View; saved: View },
  geometry: norm.SavedGeometry,
): Passes {
  /** Adds the sums of gamma and of beta, `[2, N, C]`, up over the batch. */
  const addUp = (sums: View, into: readonly View[]) => {
    const shape = sums.shape.slice(1);
    into.forEach((bar, i) => {
      bias.backward(r, { yBar: slice(sums, i * elements(shape), shape) }, { into: bar });
    });
  };
  let savedDot: View | undefined;
  return {
    y,
    backward({ yBar, thetaBar, wantX }) {
      if (!thetaBar && !wantX) return undefined;
      const { xBar, sums } = norm.backward(r, { x, saved, yBar }, geometry);
      if (thetaBar) addUp(sums, thetaBar);
      return wantX ? xBar : undefined;
    },
    tangentForward({ xDot, thetaDot: [gammaDot, betaDot] }) {
      const result = norm.tangent(r, { x, saved, xDot, gammaDot, betaDot }, geometry);
      savedDot = result.savedDot;
      return result.yDot;
    },
    tangentBackward({ yBar, yBarDot, xDot, thetaBarDot, wantX }) {
      if (!thetaBarDot && !wantX) return undefined;
      const operands = { x, saved, yBar, xDot, savedDot: savedDot!, yBarDot };
      const { xBarDot, sumsDot } = norm.tangentBackward(r, operands, geometry);
      if (thetaBarDot) addUp(sumsDot, thetaBarDot);
      return wantX ? xBarDot : undefined;
    },
  };
}
