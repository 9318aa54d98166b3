import * as elementwise from '../engine/ops/elementwise.js';
import type { View } from '../engine/view.js';
import type { BackwardOperands, Layer, Mode, Passes } from './layer.js';

/** Layers in a row, as one. */
export interface Sequence extends Layer {
  forward(...operands: Parameters<Layer['forward']>): SequencePasses;
}

/** Its passes, which show what is between its layers. */
export interface SequencePasses extends Passes {
  /** The output of every layer. */
  readonly outputs: readonly View[];
  /** `outputBars`: gradients of outputs, at their layer's index, that are added to what the layers behind give. */
  backward(o: BackwardOperands & { readonly outputBars?: readonly (View | undefined)[] }): View | undefined;
}

/**
 * Layers one after the other: what a network is made of, and a branch of a residual block. Parameters and statistics
 * are those of its layers, in order.
 *
 * Every pass walks the layers once, the backward ones from the last to the first; each remembers what the later passes
 * of its layers need (the cotangents from `backward`, the tangents from `tangentForward`).
 */
export function sequence(...layers: readonly Layer[]): Sequence {
  /** The input shape of every layer, and behind them the output shape. */
  const shapes = (inputShape: readonly number[]) => {
    const all = [inputShape];
    for (const layer of layers) all.push(layer.outputShape(all[all.length - 1]));
    return all;
  };
  return {
    name: layers.map(({ name }) => name).join(' '),
    streams: layers.reduce((sum, { streams = 0 }) => sum + streams, 0),
    parameters(inputShape) {
      const at = shapes(inputShape);
      return layers.flatMap((layer, index) =>
        layer.parameters(at[index]).map((p) => ({ ...p, name: `${index}.${layer.name}.${p.name}` })),
      );
    },
    statistics(inputShape) {
      const at = shapes(inputShape);
      return layers.flatMap((layer, index) => layer.statistics?.(at[index]) ?? []);
    },
    outputShape: (inputShape) => shapes(inputShape)[layers.length],

    onnx(graph, x, { inputShape, parameters, statistics }) {
      const at = shapes(inputShape);
      const split = divider(layers, at);
      const [names, values] = [split.parameters(parameters), split.statistics(statistics)];
      return layers.reduce((y, layer, index) => {
        const own = { inputShape: at[index], parameters: names[index], statistics: values[index] };
        return layer.onnx(graph, y, own);
      }, x);
    },

    forward(r, x, parameters, mode = {}) {
      const at = shapes(x.shape.slice(1));
      const split = divider(layers, at);
      const [frozen, collect, collectBar] = [mode.frozen, mode.collect, mode.collectBar].map(
        (views) => views && split.statistics(views),
      );
      let stream = mode.random?.stream ?? 0;
      const ofLayer = split.parameters(parameters);
      const passes: Passes[] = [];
      let y = x;
      layers.forEach((layer, index) => {
        const own: Mode = {
          frozen: frozen?.[index],
          collect: collect?.[index],
          collectBar: collectBar?.[index],
          random: mode.random && { ...mode.random, stream },
        };
        stream += layer.streams ?? 0;
        const recorded = layer.forward(r, y, ofLayer[index], own);
        passes.push(recorded);
        y = recorded.y;
      });
      const divided = (views?: readonly View[]) => views && split.parameters(views);
      const yBars: View[] = [];
      const xDots: (View | undefined)[] = [];
      return {
        y,
        outputs: passes.map((pass) => pass.y),
        backward({ yBar, thetaBar, wantX, outputBars }) {
          const bars = divided(thetaBar);
          let bar: View | undefined = yBar;
          for (let index = passes.length - 1; index >= 0; index--) {
            const own = outputBars?.[index];
            if (own) bar = elementwise.add(r, { a: bar!, b: own });
            yBars[index] = bar!;
            bar = passes[index].backward({
              yBar: bar!,
              thetaBar: bars?.[index],
              wantX: wantX || index > 0,
            });
          }
          return bar;
        },
        tangentForward({ xDot, thetaDot }) {
          const dots = split.parameters(thetaDot);
          let dot = xDot;
          passes.forEach((pass, index) => {
            xDots[index] = dot;
            dot = pass.tangentForward({ xDot: dot, thetaDot: dots[index] });
          });
          return dot;
        },
        tangentBackward({ yBarDot, thetaDot, thetaBarDot, wantX }) {
          const [dots, barDots] = [split.parameters(thetaDot), divided(thetaBarDot)];
          let barDot = yBarDot;
          for (let index = passes.length - 1; index >= 0; index--)
            barDot = passes[index].tangentBackward({
              yBar: yBars[index],
              yBarDot: barDot,
              xDot: xDots[index],
              thetaDot: dots[index],
              thetaBarDot: barDots?.[index],
              wantX: wantX || index > 0,
            });
          return barDot;
        },
      };
    },
  };
}

/** Cuts a list of what all layers have into one list per layer. */
function divider(layers: readonly Layer[], shapes: readonly (readonly number[])[]) {
  const cut =
    (counts: readonly number[]) =>
    <T>(values: readonly T[]) => {
      let next = 0;
      return counts.map((count) => values.slice(next, (next += count)));
    };
  return {
    parameters: cut(layers.map((layer, index) => layer.parameters(shapes[index]).length)),
    statistics: cut(layers.map((layer, index) => layer.statistics?.(shapes[index]).length ?? 0)),
  };
}
