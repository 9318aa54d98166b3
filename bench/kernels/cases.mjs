import { ops } from '../../dist/engine/ops/index.gen.js';
import { Recorder } from '../../dist/engine/program.js';

const { conv2d } = ops;

/** The convolutions of the field's ConvNet; those of LeNet are among the cases of the op. */
const convolutions = [...[32, 16, 8].map((size) => ({ C: 128, size })), { C: 3, size: 32 }].flatMap(
  ({ C, size }) =>
    [1, 10, 64, 256].map((N) => ({ x: [N, C, size, size], w: [128, C, 3, 3], y: [N, 128, size, size] })),
);
const geometry = { stride: 1, padding: 1 };

const passes = {
  forward(r, { x, w, y }) {
    const operands = { x: r.external('x', 1, x), w: r.external('w', 1, w), b: r.external('b', 1, [w[0]]) };
    conv2d.forward(r, operands, geometry, { into: r.external('y', 1, y) });
  },
  backwardInput(r, { x, w, y }) {
    const operands = { yBar: r.external('yBar', 1, y), w: r.external('w', 1, w) };
    conv2d.backwardInput(r, operands, geometry, x, { into: r.external('xBar', 1, x) });
  },
  backwardWeight(r, { x, w, y }) {
    const operands = { x: r.external('x', 1, x), yBar: r.external('yBar', 1, y) };
    conv2d.backwardWeight(r, operands, geometry, w, { into: r.external('wBar', 1, w) });
  },
};

const fieldCases = convolutions.flatMap((shapes) =>
  Object.entries(passes).map(([pass, record]) => ({
    name: `conv2d.${pass} N=${shapes.x[0]} ${shapes.x.slice(1).join('x')} -> 128 k3 s1 p1`,
    record: (r) => record(r, shapes),
  })),
);

/** Everything that is timed by kernel: the ops' own cases for the benchmark, and the convolutions of the field. */
export const cases = [
  ...Object.values(ops).flatMap((op) => op.cases.filter((opCase) => opCase.bench)),
  ...fieldCases,
].map((opCase) => {
  const r = new Recorder(opCase.name);
  opCase.record(r);
  return { ...opCase, program: r.program() };
});

/** Those whose name has `only` in it; of these the small ones where it is to be quick. */
export const casesFor = (only, { quick }) =>
  cases.filter(({ name, program }) => name.includes(only) && !(quick && program.flops() > 1e7));

/** A case as a peer's convolution: `forward N C H W OC KH KW stride padding`; undefined where it is none. */
export function convolutionOf({ program: { steps } }) {
  const [op, pass] = steps[0].kernel.name.split('.');
  const { x2, yBar2 } = steps[0].operands;
  if (op !== 'conv2d' || x2 || yBar2) return undefined; // a second pair is a second convolution
  const { N, C, H, W, OC, KH, KW, stride, padding } = steps[0].sizes;
  return [pass, N, C, H, W, OC, KH, KW, stride, padding].join(' ');
}
