import { fileURLToPath } from 'node:url';
import { WrongResult } from '../suite/compare.mjs';
import { flagsOf, report } from '../suite/process.mjs';
import { median } from '../suite/statistics.mjs';
import { digits, markdown, timed } from '../suite/table.mjs';
import { casesFor, convolutionOf } from './cases.mjs';

const script = fileURLToPath(new URL('trial.mjs', import.meta.url));

/**
 * Times every kernel whose name has `only` in it, after holding each to the float64 reference; trials of limbeck and of
 * `peer` (which does convolutions, where it is given) in turn. Gives a table.
 */
export async function runKernels(only, peer, options) {
  const chosen = casesFor(only, options);
  const { device, precision, threads, passes, trials, seconds } = options;
  const flags = {
    device,
    precision,
    threads,
    passes,
    only: JSON.stringify(chosen.map(({ name }) => name)),
    seconds: seconds / 10,
  };
  const { errors } = await limbeckTrial(flags, '--check');
  const convolutions = chosen.map((opCase) => ({ name: opCase.name, line: convolutionOf(opCase) }));
  const shared = convolutions.filter(({ line }) => line);
  let peak;
  const ours = [];
  const theirs = [];
  for (let trial = 0; trial < trials; trial++) {
    const { times, gigaflops } = await limbeckTrial(flags);
    ours.push(times);
    if (gigaflops) peak = Math.max(peak ?? 0, gigaflops);
    if (peer && shared.length) {
      const lines = shared.map(({ line }) => line);
      const times = await peer.convolutions(lines, { threads, seconds: seconds / 10 });
      theirs.push(Object.fromEntries(times.map((each, i) => [shared[i].name, each])));
    }
  }
  const rows = chosen.map(({ name, program }) => {
    const times = ours.map((trial) => trial[name]);
    const peerOf = (algorithm) => {
      const values = theirs.map((trial) => trial[name]?.[algorithm]).filter((ms) => ms);
      return values.length ? median(values) : undefined;
    };
    const limbeck = { ms: median(times), range: [Math.min(...times), Math.max(...times)] };
    const peerMs = { direct: peerOf('direct'), winograd: peerOf('winograd') };
    // Everything else moves memory.
    const gflop = /^(conv2d|linear)\./.test(name) ? program.flops() / 1e9 : undefined;
    return { name, gflop, error: errors[name], limbeck, peerMs };
  });
  return `${heading(peak, threads)}\n\n${table(rows, peak)}`;
}

async function limbeckTrial(flags, ...more) {
  try {
    return await report(process.execPath, [script, ...flagsOf(flags), ...more]);
  } catch (error) {
    throw /wrong result/.test(error.message) ? new WrongResult(error.message) : error;
  }
}

const heading = (peak, threads) =>
  peak
    ? `Measured peak, the best of the trials, threads: ${threads}, float32 multiply-adds: ${digits(peak)} GFLOP/s.`
    : 'This engine does not measure its peak.';

function table(rows, peak) {
  const rate = (gflop, ms) => gflop && ms && (1e3 * gflop) / ms;
  const best = ({ direct, winograd }) => {
    const known = [direct, winograd].filter((ms) => ms);
    return known.length ? Math.min(...known) : undefined;
  };
  return markdown(
    {
      kernel: ({ name }) => name,
      'limbeck ms (range)': ({ limbeck }) => timed(limbeck),
      'GFLOP/s': ({ gflop, limbeck }) => digits(rate(gflop, limbeck.ms)),
      'of peak': ({ gflop, limbeck }) =>
        peak && gflop && `${Math.round((100 * rate(gflop, limbeck.ms)) / peak)} %`,
      'oneDNN direct GFLOP/s': ({ gflop, peerMs }) => digits(rate(gflop, peerMs.direct)),
      Winograd: ({ gflop, peerMs }) => digits(rate(gflop, peerMs.winograd)),
      'limbeck is faster by': ({ limbeck, peerMs }) => {
        const ms = best(peerMs);
        return ms && `${(ms / limbeck.ms).toFixed(2)} x`;
      },
      error: ({ error }) => error.toExponential(1),
    },
    rows,
  );
}
