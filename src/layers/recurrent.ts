import { type CellName, cells } from '../engine/cells.js';
import * as layout from '../engine/ops/layout.js';
import type { Recorder } from '../engine/program.js';
import { reshape, slice, type View } from '../engine/view.js';
import type { OnnxGraph } from '../util/onnx.js';
import { expectMap, type Layer, type ParameterShape } from './layer.js';
import { type DirectionPasses, directionPasses } from './recurrent-direction.js';

export interface RecurrentOptions {
  /** Units of every layer and direction. */
  readonly hidden: number;
  readonly layers: number;
  /** Whether every layer walks from both ends. */
  readonly bidirectional: boolean;
}

/**
 * Recurrent layers over the rows of a map, one after the other: x `[N, C, L, I]` is C L steps of I numbers. A layer reads the states of
 * all steps of the layer below, both directions side by side; y `[N, D H]` is the last state of the last layer, of the second direction
 * that at the first step. States begin as zero. Parameters, their order and their first values are those of PyTorch's `nn.RNN` and
 * `nn.LSTM`: weight_ih, weight_hh, bias_ih, bias_hh for each layer and, in it, direction, all uniform within 1 / sqrt(H).
 *
 * `recurrent-direction.ts` derives the passes of one layer in one direction.
 */
function recurrent(cell: CellName, { hidden: H, layers, bidirectional }: RecurrentOptions): Layer {
  const D = bidirectional ? 2 : 1;
  const G = cells[cell].gates;
  const name = `${cell === 'tanh' ? 'rnn' : cell}${bidirectional ? '-both' : ''}${layers}x${H}`;
  const kinds = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'];
  const inputs = (layer: number, I: number) => (layer === 0 ? I : D * H);
  return {
    name,
    parameters(inputShape) {
      expectMap(name, inputShape);
      const I = inputShape[2];
      return Array.from({ length: layers * D }, (_, index) => {
        const layer = Math.floor(index / D);
        const shapes = [[G * H, inputs(layer, I)], [G * H, H], [G * H], [G * H]];
        return shapes.map((shape, i): ParameterShape => {
          const own = `${kinds[i]}_l${layer}${index % D ? '_reverse' : ''}`;
          // What PyTorch scales all of them by is the number of units.
          return { name: own, shape, kind: i < 2 ? 'weight' : 'bias', fanIn: H, fanOut: G * H };
        });
      }).flat();
    },
    outputShape(inputShape) {
      expectMap(name, inputShape);
      return [D * H];
    },
    onnx(graph, x, { inputShape: [C, L, I], parameters }) {
      let steps = graph.add('Transpose', [graph.reshape(x, [0, C * L, I])], { perm: [1, 0, 2] });
      for (let layer = 0; layer < layers; layer++) {
        const own = parameters.slice(4 * D * layer, 4 * D * (layer + 1));
        const operands = [0, 1].map((i) => stacked(graph, own, D, G, [i], [H, -1]));
        const biases = stacked(graph, own, D, G, [2, 3], [H]);
        const direction = { text: bidirectional ? 'bidirectional' : 'forward' };
        const add = (output: number) =>
          graph.add(
            cell === 'tanh' ? 'RNN' : 'LSTM',
            [steps, ...operands, biases],
            { hidden_size: H, direction },
            { output },
          );
        if (layer === layers - 1) {
          const last = graph.add('Transpose', [add(1)], { perm: [1, 0, 2] });
          return graph.reshape(last, [0, D * H]);
        }
        // [T, D, N, H]
        const sideBySide = graph.add('Transpose', [add(0)], { perm: [0, 2, 1, 3] });
        steps = graph.reshape(sideBySide, [0, 0, D * H]);
      }
      return steps;
    },
    forward(r, x, parameters) {
      const [N, C, L, I] = x.shape;
      const T = C * L;
      const swap = (view: View, [first, second]: number[]) =>
        layout.swap(r, { x: reshape(view, [first, second, I]) });
      /** A row for every step and sample, of x or its tangent. */
      const rowsOf = (view: View) => reshape(swap(view, [N, T]), [T * N, I]);
      const unrolled = (bar: View) => reshape(swap(bar, [T, N]), x.shape);
      const { both, apart, last } = sides(r, D, [T, N, H]);
      const cut = (views: readonly View[], layer: number, d: number) =>
        views.slice(4 * (D * layer + d), 4 * (D * layer + d + 1));

      const stack: DirectionPasses[][] = [];
      let rows = rowsOf(x);
      for (let layer = 0; layer < layers; layer++) {
        const below = rows;
        const passes = Array.from({ length: D }, (_, d) =>
          directionPasses(r, below, cut(parameters, layer, d), {
            ...{ cell, reverse: d === 1, size: [T, N, H] },
          }),
        );
        stack.push(passes);
        if (layer < layers - 1) rows = both(passes.map(({ h }) => reshape(h, [T * N, H])));
      }
      /** Walks the layers from the last to the first; `bars` are gradients of the states of the last, of its last step alone. */
      const back = (
        bars: readonly (View | undefined)[],
        wantX: boolean,
        pass: (
          passes: DirectionPasses,
          layer: number,
          d: number,
          bar: View | undefined,
          to: { wantX: boolean; into?: View },
        ) => View | undefined,
      ) => {
        let below: View | undefined;
        let above = bars;
        for (let layer = layers - 1; layer >= 0; layer--) {
          below = undefined;
          for (let d = 0; d < D; d++) {
            const to = { wantX: wantX || layer > 0, into: below };
            below = pass(stack[layer][d], layer, d, above[d], to);
          }
          if (layer > 0) above = apart(below!).map((bar) => reshape(bar, [T, N, H]));
        }
        return wantX ? unrolled(below!) : undefined;
      };
      const ofLast = (yBar: View) => apart(yBar).map((bar) => reshape(bar, [1, N, H]));
      const xDots: (View | undefined)[] = [];
      return {
        y: both(stack[layers - 1].map(({ h }, d) => last(h, d))),
        backward: ({ yBar, thetaBar, wantX }) =>
          back(ofLast(yBar), wantX, (passes, layer, d, bar, to) =>
            passes.backward({ hBar: bar!, thetaBar: thetaBar && cut(thetaBar, layer, d), ...to }),
          ),
        tangentForward({ xDot, thetaDot }) {
          let dot = xDot && rowsOf(xDot);
          let hDots: View[] = [];
          stack.forEach((passes, layer) => {
            xDots[layer] = dot;
            hDots = passes.map((pass, d) =>
              pass.tangentForward({ xDot: dot, thetaDot: cut(thetaDot, layer, d) }),
            );
            if (layer < layers - 1) dot = both(hDots.map((hDot) => reshape(hDot, [T * N, H])));
          });
          return both(hDots.map((hDot, d) => last(hDot, d)));
        },
        tangentBackward: ({ yBarDot, thetaDot, thetaBarDot, wantX }) =>
          back(yBarDot ? ofLast(yBarDot) : [], wantX, (passes, layer, d, bar, to) =>
            passes.tangentBackward({
              ...{ hBarDot: bar, xDot: xDots[layer], thetaDot: cut(thetaDot, layer, d) },
              ...{ thetaBarDot: thetaBarDot && cut(thetaBarDot, layer, d), ...to },
            }),
          ),
      };
    },
  };
}

/** Directions side by side and apart, and their last states. */
function sides(r: Recorder, D: number, [T, N, H]: readonly [number, number, number]) {
  return {
    both: (views: readonly View[]) => views.reduce((a, b) => layout.join(r, { a, b })),
    apart(view: View): View[] {
      if (D === 1) return [view];
      const { a, b } = layout.split(r, { x: view }, H);
      return [a, b];
    },
    last: (h: View, d: number) => slice(h, d === 1 ? 0 : (T - 1) * N * H, [N, H]),
  };
}

/**
 * Parameters `which` of every direction in ONNX's form, `[D, ...]`: an LSTM's gates come as i, o, f, g there, and the two
 * biases one behind the other.
 */
function stacked(
  graph: OnnxGraph,
  own: readonly string[],
  D: number,
  G: number,
  which: readonly number[],
  rest: readonly number[],
): string {
  const all = Array.from({ length: D }, (_, d) => {
    const pieces = which.map((i) => {
      const gates = graph.reshape(own[4 * d + i], [G, ...rest]);
      return G === 1 ? gates : graph.add('Gather', [gates, graph.integers([0, 3, 1, 2])], { axis: 0 });
    });
    const joined = pieces.length > 1 ? graph.add('Concat', pieces, { axis: 0 }) : pieces[0];
    return graph.reshape(joined, rest.length > 1 ? [1, G * rest[0], -1] : [1, -1]);
  });
  return D > 1 ? graph.add('Concat', all, { axis: 0 }) : all[0];
}

/** Elman's network: h = tanh(z). */
export const rnn = (options: RecurrentOptions): Layer => recurrent('tanh', options);
/** Long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates). */
export const lstm = (options: RecurrentOptions): Layer => recurrent('lstm', options);
