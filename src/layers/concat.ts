import * as elementwise from '../engine/ops/elementwise.js';
import * as layout from '../engine/ops/layout.js';
import type { Recorder } from '../engine/program.js';
import { elements, reshape, type View } from '../engine/view.js';
import type { Layer, Passes } from './layer.js';
import { sequence } from './sequence.js';

/**
 * Branches of layers that all read x, their outputs flattened and side by side: y `[N, features of all]`. The gradient of x is
 * the sum of the branches'. Parameters, statistics and random streams: the first branch's, then the second's, and so on.
 */
export function concat(...branches: readonly (readonly Layer[])[]): Layer {
  const ways = branches.map((layers) => sequence(...layers));
  const widths = (inputShape: readonly number[]) => ways.map((way) => elements(way.outputShape(inputShape)));
  return {
    name: `concat(${ways.map(({ name }) => name).join(' | ')})`,
    streams: ways.reduce((sum, { streams }) => sum + streams!, 0),
    parameters: (inputShape) =>
      ways.flatMap((way, i) =>
        way.parameters(inputShape).map((p) => ({ ...p, name: `branch${i}.${p.name}` })),
      ),
    statistics: (inputShape) => ways.flatMap((way) => way.statistics!(inputShape)),
    outputShape: (inputShape) => [widths(inputShape).reduce((sum, width) => sum + width, 0)],
    onnx(graph, x, { inputShape, parameters, statistics }) {
      const own = cutter(ways.map((way) => way.parameters(inputShape).length))(parameters);
      const ownStatistics = cutter(ways.map((way) => way.statistics!(inputShape).length))(statistics);
      const outputs = ways.map((way, i) => {
        const operands = { inputShape, parameters: own[i], statistics: ownStatistics[i] };
        return graph.add('Flatten', [way.onnx(graph, x, operands)]);
      });
      return graph.add('Concat', outputs, { axis: 1 });
    },
    forward(r, x, parameters, mode = {}) {
      const inputShape = x.shape.slice(1);
      const cut = cutter(ways.map((way) => way.parameters(inputShape).length));
      const cutStatistics = cutter(ways.map((way) => way.statistics!(inputShape).length));
      const [theta, frozen, collect, collectBar] = [
        cut(parameters),
        ...[mode.frozen, mode.collect, mode.collectBar].map((views) => views && cutStatistics(views)),
      ];
      let stream = mode.random?.stream ?? 0;
      const passes: Passes[] = ways.map((way, i) => {
        const random = mode.random && { ...mode.random, stream };
        stream += way.streams!;
        const own = { frozen: frozen?.[i], collect: collect?.[i], collectBar: collectBar?.[i], random };
        return way.forward(r, x, theta![i], own);
      });
      const outputs = passes.map(({ y }) => y.shape);
      const apart = (y: View) => split(r, y, outputs);
      let yBars: View[] = [];
      return {
        y: join(
          r,
          passes.map(({ y }) => y),
        ),
        backward({ yBar, thetaBar, wantX }) {
          yBars = apart(yBar);
          const bars = thetaBar && cut(thetaBar);
          const all = passes.map((pass, i) => pass.backward({ yBar: yBars[i], thetaBar: bars?.[i], wantX }));
          return wantX ? sum(r, all) : undefined;
        },
        tangentForward({ xDot, thetaDot }) {
          const dots = cut(thetaDot);
          const all = passes.map((pass, i) => pass.tangentForward({ xDot, thetaDot: dots[i] }));
          if (all.every((dot) => !dot)) return undefined;
          const zero = (i: number) => elementwise.fill(r, 0, r.temporary('no tangent', 1, passes[i].y.shape));
          return join(
            r,
            all.map((dot, i) => dot ?? zero(i)),
          );
        },
        tangentBackward({ xDot, yBarDot, thetaDot, thetaBarDot, wantX }) {
          const [dots, barDots] = [cut(thetaDot), thetaBarDot && cut(thetaBarDot)];
          const yBarDots = yBarDot && apart(yBarDot);
          const all = passes.map((pass, i) =>
            pass.tangentBackward({
              ...{ xDot, yBar: yBars[i], yBarDot: yBarDots?.[i] },
              ...{ thetaDot: dots[i], thetaBarDot: barDots?.[i], wantX },
            }),
          );
          return wantX ? sum(r, all) : undefined;
        },
      };
    },
  };
}

/** Cuts a list of what all branches have into one list for each. */
const cutter =
  (counts: readonly number[]) =>
  <T>(values: readonly T[]): T[][] => {
    let next = 0;
    return counts.map((count) => values.slice(next, (next += count)));
  };

const rows = (y: View): View => reshape(y, [y.shape[0], elements(y.shape.slice(1))]);

/** Outputs `[N, ...]`, flattened and side by side. */
const join = (r: Recorder, outputs: readonly View[]): View =>
  outputs.map(rows).reduce((a, b) => layout.join(r, { a, b }));

/** The way back: parts of y in those shapes. */
function split(r: Recorder, y: View, shapes: readonly (readonly number[])[]): View[] {
  let rest = y;
  return shapes.map((shape, i) => {
    if (i === shapes.length - 1) return reshape(rest, shape);
    const { a, b } = layout.split(r, { x: rest }, elements(shape.slice(1)));
    rest = b;
    return reshape(a, shape);
  });
}

/** What is left out is zero. */
function sum(r: Recorder, parts: readonly (View | undefined)[]): View | undefined {
  const there = parts.filter((part) => part !== undefined);
  return there.length ? there.reduce((a, b) => elementwise.add(r, { a, b })) : undefined;
}
