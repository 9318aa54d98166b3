/**
 * The cells of recurrent layers, one unit of one sample at a time: what joins units is the matrix product of `ops/recurrence.ts`. A cell has
 * `gates` sums z a unit, keeps `kept` numbers of a step for the other passes and `bars` of its gradients for their tangents.
 * `before` is what the step before kept (zeros ahead of the first one), `ahead` and `aheadBars` belong to the step behind, from which the
 * gradient comes.
 */
export interface Cell {
  readonly gates: number;
  readonly kept: number;
  readonly bars: number;
  forward(z: Numbers, before: Numbers): { h: number; kept: Numbers };
  tangent(
    zDot: Numbers,
    o: { kept: Numbers; before: Numbers; beforeDot: Numbers },
  ): { hDot: number; keptDot: Numbers };
  /** `hBar` is the whole gradient of h, through the step behind as well. */
  backward(
    hBar: number,
    o: { kept: Numbers; before: Numbers; ahead: Numbers; aheadBars: Numbers },
  ): { zBar: Numbers; bars: Numbers };
  tangentBackward(
    hBarDot: number,
    o: Record<
      | ('kept' | 'keptDot' | 'bars' | 'before' | 'beforeDot')
      | ('ahead' | 'aheadDot' | 'aheadBars' | 'aheadBarsDot'),
      Numbers
    >,
  ): { zBarDot: Numbers; barsDot: Numbers };
}

type Numbers = readonly number[];

/** tanh and its two derivatives; the first far from zero as a square of 1 / cosh, which has all its digits. */
function bend(x: number): { value: number; first: number; second: number } {
  const [value, first] = [Math.tanh(x), Math.cosh(x) ** -2];
  return { value, first, second: -2 * value * first };
}

/** Elman's: h = tanh z. Keeps z; the bar is that of h. */
const tanhCell: Cell = {
  gates: 1,
  kept: 1,
  bars: 1,
  forward: ([z]) => ({ h: Math.tanh(z), kept: [z] }),
  tangent: ([zDot], { kept: [z] }) => ({ hDot: bend(z).first * zDot, keptDot: [zDot] }),
  backward: (hBar, { kept: [z] }) => ({ zBar: [bend(z).first * hBar], bars: [hBar] }),
  tangentBackward(hBarDot, { kept: [z], keptDot: [zDot], bars: [hBar] }) {
    const { first, second } = bend(z);
    return { zBarDot: [first * hBarDot + second * zDot * hBar], barsDot: [hBarDot] };
  },
};

/**
 * A gate y = sigmoid z is kept as y where z is below 0, else as y - 1: the derivative y (1 - y) has all its digits then, on both sides,
 * and takes no exponential.
 */
function gateOf(z: number): number {
  // Never 0, which has no sign to tell the two sides apart.
  const e = Math.max(Math.exp(-Math.abs(z)), 2 ** -126);
  const small = e / (1 + e);
  return z < 0 ? small : -small;
}
const openOf = (gate: number) => (gate < 0 ? 1 + gate : gate);
const slopeOf = (gate: number) => Math.abs(gate) * (1 - Math.abs(gate));
/** The tangent of the slope. */
const slopeDotOf = (gate: number, yDot: number) => (1 - 2 * openOf(gate)) * yDot;

/**
 * Hochreiter and Schmidhuber 1997 with forget gates, in PyTorch's order: i, f, o = sigmoid z, g = tanh z, c = f c' + i g with the c' of the
 * step before, h = o tanh c. Keeps i and f as gates, the z of g, o, and c; the bars are those of h and c.
 */
const lstmCell: Cell = {
  gates: 4,
  kept: 5,
  bars: 2,
  forward([zi, zf, zg, zo], before) {
    const [i, f, o] = [zi, zf, zo].map(gateOf);
    const c = openOf(f) * before[4] + openOf(i) * Math.tanh(zg);
    return { h: openOf(o) * Math.tanh(c), kept: [i, f, zg, o, c] };
  },
  tangent([ziDot, zfDot, zgDot, zoDot], { kept: [i, f, zg, o, c], before, beforeDot }) {
    const [iDot, fDot, oDot] = [slopeOf(i) * ziDot, slopeOf(f) * zfDot, slopeOf(o) * zoDot];
    const g = bend(zg);
    const ofState = fDot * before[4] + openOf(f) * beforeDot[4];
    const cDot = ofState + iDot * g.value + openOf(i) * g.first * zgDot;
    const { value, first } = bend(c);
    return { hDot: oDot * value + openOf(o) * first * cDot, keptDot: [iDot, fDot, zgDot, oDot, cDot] };
  },
  backward(hBar, { kept: [i, f, zg, o, c], before, ahead, aheadBars }) {
    const [g, { value, first }] = [bend(zg), bend(c)];
    const cBar = hBar * openOf(o) * first + aheadBars[1] * openOf(ahead[1]);
    return {
      zBar: [
        cBar * g.value * slopeOf(i),
        cBar * before[4] * slopeOf(f),
        cBar * openOf(i) * g.first,
        hBar * value * slopeOf(o),
      ],
      bars: [hBar, cBar],
    };
  },
  tangentBackward(hBarDot, { kept, keptDot, bars: [hBar, cBar], before, beforeDot, ...around }) {
    const [i, f, zg, o, c] = kept;
    const [iDot, fDot, zgDot, oDot, cDot] = keptDot;
    const [g, { value, first, second }] = [bend(zg), bend(c)];
    const { ahead, aheadDot, aheadBars, aheadBarsDot } = around;
    const ofState = aheadBarsDot[1] * openOf(ahead[1]) + aheadBars[1] * aheadDot[1];
    const cBarDot = hBarDot * openOf(o) * first + hBar * (oDot * first + openOf(o) * second * cDot) + ofState;
    /** The tangent of a gate's gradient times its slope. */
    const through = (gate: number, gateDot: number, bar: number, barDot: number) =>
      barDot * slopeOf(gate) + bar * slopeDotOf(gate, gateDot);
    return {
      zBarDot: [
        through(i, iDot, cBar * g.value, cBarDot * g.value + cBar * g.first * zgDot),
        through(f, fDot, cBar * before[4], cBarDot * before[4] + cBar * beforeDot[4]),
        (cBarDot * openOf(i) + cBar * iDot) * g.first + cBar * openOf(i) * g.second * zgDot,
        through(o, oDot, hBar * value, hBarDot * value + hBar * first * cDot),
      ],
      barsDot: [hBarDot, cBarDot],
    };
  },
};

export const cells = { tanh: tanhCell, lstm: lstmCell } satisfies Record<string, Cell>;
export type CellName = keyof typeof cells;

/** Kernels know a cell by the number of its gates. */
export const cellOf = (gates: number): Cell => (gates === lstmCell.gates ? lstmCell : tanhCell);
