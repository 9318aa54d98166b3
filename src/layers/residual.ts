import * as elementwise from '../engine/ops/elementwise.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import type { Layer, Passes } from './layer.js';
import { sequence } from './sequence.js';

/**
 * Residual block `y = branch(x) + shortcut(x)`; without layers, the shortcut is x itself (He et al. 2016). All four
 * passes are sums of those of the two ways. Parameters: the branch's, then the shortcut's.
 */
export function residual(branchLayers: readonly Layer[], shortcutLayers: readonly Layer[] = []): Layer {
  const ways = [sequence(...branchLayers), sequence(...shortcutLayers)];
  const [branch, shortcut] = ways;
  return {
    name: `residual(${ways
      .map(({ name }) => name)
      .filter(Boolean)
      .join(' | ')})`,
    streams: branch.streams! + shortcut.streams!,
    parameters: (inputShape) =>
      ways.flatMap((way, index) =>
        way.parameters(inputShape).map((p) => ({ ...p, name: `${index ? 'shortcut' : 'branch'}.${p.name}` })),
      ),
    statistics: (inputShape) => ways.flatMap((way) => way.statistics!(inputShape)),
    outputShape(inputShape) {
      const [y, beside] = ways.map((way) => way.outputShape(inputShape));
      if (shapeText(y) !== shapeText(beside))
        throw new LimbeckError(
          'ERR_SHAPE',
          `residual: the branch gives ${shapeText(y)} and the shortcut ${shapeText(beside)} for an input of ${shapeText(inputShape)}, expected the same shape: give the shortcut a 1x1 convolution or a pooling`,
        );
      return y;
    },
    onnx(graph, x, { inputShape, parameters, statistics }) {
      const [first, firstStatistics] = [branch.parameters(inputShape), branch.statistics!(inputShape)];
      const [y, beside] = ways.map((way, index) => {
        const half = <T>(all: readonly T[], { length }: readonly unknown[]) =>
          index ? all.slice(length) : all.slice(0, length);
        const own = { parameters: half(parameters, first), statistics: half(statistics, firstStatistics) };
        return way.onnx(graph, x, { inputShape, ...own });
      });
      return graph.add('Add', [y, beside]);
    },
    forward(r, x, parameters, mode = {}) {
      const inputShape = x.shape.slice(1);
      const first = branch.parameters(inputShape).length;
      const firstStatistics = branch.statistics!(inputShape).length;
      const halves = <T>(views: readonly T[], at = first) => [views.slice(0, at), views.slice(at)];
      const both = (views?: readonly View[]) => (views ? halves(views) : [undefined, undefined]);
      const statistics = (views?: readonly View[]) =>
        views ? halves(views, firstStatistics) : [undefined, undefined];
      const theta = halves(parameters);
      const [frozen, collect, collectBar] = [mode.frozen, mode.collect, mode.collectBar].map(statistics);
      const passes: Passes[] = ways.map((way, index) =>
        way.forward(r, x, theta[index], {
          frozen: frozen[index],
          collect: collect[index],
          collectBar: collectBar[index],
          random: mode.random && {
            ...mode.random,
            stream: mode.random.stream + (index ? branch.streams! : 0),
          },
        }),
      );
      const { y } = passes[0];
      return {
        y: sum(r, y, passes[1].y)!,
        backward(o) {
          const thetaBar = both(o.thetaBar);
          const bars = passes.map((pass, index) => pass.backward({ ...o, thetaBar: thetaBar[index] }));
          return o.wantX ? sum(r, bars[0], bars[1]) : undefined;
        },
        tangentForward({ xDot, thetaDot }) {
          const dots = halves(thetaDot);
          const results = passes.map((pass, index) => pass.tangentForward({ xDot, thetaDot: dots[index] }));
          return sum(r, results[0], results[1]);
        },
        tangentBackward(o) {
          const [dots, barDots] = [halves(o.thetaDot), both(o.thetaBarDot)];
          const results = passes.map((pass, index) =>
            pass.tangentBackward({ ...o, thetaDot: dots[index], thetaBarDot: barDots[index] }),
          );
          return o.wantX ? sum(r, results[0], results[1]) : undefined;
        },
      };
    },
  };
}

/** a + b, where what is left out is zero. */
function sum(r: Recorder, a: View | undefined, b: View | undefined): View | undefined {
  return a && b ? elementwise.add(r, { a, b }, 1, 1) : (a ?? b);
}
