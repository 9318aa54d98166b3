/**
 * Dawn's binding polls once in every turn of the event loop while anything is pending: millions of times in a test file, on the cores that
 * a software driver computes on. After some turns it polls once a millisecond here.
 */
const TURNS = 50;

const immediate = globalThis.setImmediate;
let polling = false;
let turns = 0;

/** Dawn makes a nameless function for each poll. */
const isPoll = (callback: (...given: never[]) => void) =>
  callback.name === '' && Function.prototype.toString.call(callback).includes('[native code]');

function gentle(callback: () => void): NodeJS.Immediate | NodeJS.Timeout {
  // A poll that finds something pending asks for the next one.
  turns = polling ? turns + 1 : 0;
  const poll = () => {
    polling = true;
    try {
      callback();
    } finally {
      polling = false;
    }
  };
  return turns > TURNS ? setTimeout(poll, 1) : immediate(poll);
}

globalThis.setImmediate = Object.assign(
  (callback: () => void, ...given: []) =>
    isPoll(callback) ? gentle(callback) : immediate(callback, ...given),
  { __promisify__: immediate.__promisify__ },
) as typeof setImmediate;
