/** The largest error a result may have, relative to its 2-norm, to be timed at all. */
export const tolerance = 1e-3;
/** The same where limbeck computes in half precision: some ReLU or maximum is taken the other way. */
export const halfTolerance = 0.1;

/** Of a whole step. */
export const toleranceOf = ({ precision }) => (precision === 'half' ? halfTolerance : tolerance);

/** `||actual - expected|| / ||expected||`; NaN where either holds one. */
export function relativeError(actual, expected) {
  if (actual.length !== expected.length)
    throw new Error(`${actual.length} numbers where ${expected.length} are expected`);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** The largest relative error among named results; throws where it is too large or not a number. */
export function refuseWrong(what, actual, expected, limit = tolerance) {
  const names = Object.keys(expected);
  if (!names.length) throw new Error(`${what}: no results to compare`);
  const errors = names.map((name) => {
    const error = name in actual ? relativeError(actual[name], expected[name]) : Number.NaN;
    if (!(error <= limit))
      throw new WrongResult(`${what}: relative error of ${name} is ${error}: a wrong result is not timed`);
    return error;
  });
  return Math.max(...errors);
}

export class WrongResult extends Error {}
