import { join } from 'node:path';
import { ReferenceDevice } from '../../dist/engine/reference.js';
import { workloads } from '../workloads/index.mjs';
import { readResults, writeArrays } from './arrays.mjs';
import { refuseWrong, toleranceOf, WrongResult } from './compare.mjs';
import { limbeck } from './limbeck.mjs';
import { TookTooLong } from './process.mjs';
import { median } from './statistics.mjs';

/**
 * Times one workload: limbeck against its float64 reference at a small size, then each peer against limbeck at the size
 * that is timed, then trials in turn, limbeck and peer, each in a process of its own. One row per peer, or one of limbeck
 * alone, or one per setting of a peer that wants `each`; where something is wrong or missing the row says so in `note`.
 *
 * `options`: `folder` for arrays, `size`, `seconds`, `trials`, `threads`, `device`, `precision`, and a `watch` over the processor, if any;
 * `peers` by name.
 */
export async function runWorkload(name, peers, options, side = limbeck) {
  const workload = workloads[name];
  const asked = Object.entries(peers).filter(([peer]) => workload.peers.includes(peer.split('-')[0]));
  const row = { name, title: workload.title };
  try {
    row.referenceError = await checkReference(name, side, options);
    const task = {
      workload: name,
      size: options.size,
      inputs: await writeInputs(name, options.size, options),
    };
    const limbeckSide = { side, settings: side.settings(options)[0] };
    if (!asked.length) return [{ ...row, ...(await alternate(task, [limbeckSide], options)) }];
    const size = options.size === 'full' && workload.sizes.checked ? 'checked' : options.size;
    const checked = { ...task, size, inputs: await writeInputs(name, size, options) };
    const expected = await resultsOf(checked, limbeckSide, options);
    const rows = [];
    for (const [, peer] of asked) {
      const compare = peer.each ? againstEach : against;
      rows.push(...(await compare(peer, task, limbeckSide, { checked, expected }, options)));
    }
    return rows.map((each) => ({ ...row, ...each }));
  } catch (error) {
    if (!(error instanceof WrongResult)) throw error;
    return [{ ...row, wrong: true, note: error.message }];
  }
}

/** limbeck and one peer; a peer that is not there or fails leaves limbeck's own numbers and a note. */
async function against(peer, task, limbeckSide, { checked, expected }, options) {
  let best;
  let peerError;
  try {
    const candidates = peer.settings(options).map((settings) => ({ side: peer, settings }));
    const actual = await resultsOf(checked, candidates[0], options);
    const what = `limbeck against ${peer.name} on ${task.workload}`;
    peerError = refuseWrong(what, expected, actual, toleranceOf(options));
    best = await fastest(task, candidates, options);
  } catch (error) {
    if (error instanceof WrongResult) throw error;
    const alone = await alternate(task, [limbeckSide], options);
    return [{ ...alone, peer: peer.name, note: `${peer.name}: ${error.message}` }];
  }
  const measured = await alternate(task, [limbeckSide, best], options);
  return [{ ...measured, peer: peer.name, peerSettings: peer.describe(best.settings), peerError }];
}

/** limbeck and every setting of a peer, all in turn: a row each. A setting that is wrong or fails has a note, not numbers. */
async function againstEach(peer, task, limbeckSide, { checked, expected }, options) {
  const what = `limbeck against ${peer.name} on ${task.workload}`;
  const rows = [];
  for (const settings of peer.settings(options, workloads[task.workload].sizes[task.size])) {
    const row = { peer: peer.name, peerSettings: peer.describe(settings) };
    const candidate = { side: peer, settings };
    try {
      const actual = await resultsOf(checked, candidate, options);
      const limit = peer.tolerance?.(settings) ?? toleranceOf(options);
      row.peerError = refuseWrong(what, expected, actual, limit);
      // Once before the trials: whoever cannot do the size that is timed shall not end them.
      if (checked.size !== task.size) await peer.trial({ ...task, seconds: 0 }, settings);
      rows.push({ row, candidate });
    } catch (error) {
      const wrong = error instanceof WrongResult;
      rows.push({ row: { ...row, wrong, note: `${row.peerSettings}: ${error.message}` } });
    }
  }
  const candidates = rows.flatMap(({ candidate }) => candidate ?? []);
  const reports = await inTurn(task, [limbeckSide, ...candidates], options);
  return rows.map(({ row, candidate }) => ({
    ...row,
    ...compared(reports[0], candidate && reports[1 + candidates.indexOf(candidate)]),
  }));
}

/** The fastest of several settings, by a step of each; one that takes twice as long as the best so far is not waited for. */
async function fastest(task, candidates, { seconds }) {
  if (candidates.length === 1) return candidates[0];
  let best;
  for (const candidate of candidates) {
    const begin = performance.now();
    try {
      const trial = { ...task, seconds: seconds / 2, repeats: 1, longest: best && 2 * best.took };
      const { ms } = await candidate.side.trial(trial, candidate.settings);
      if (!best || ms < best.ms) best = { ...candidate, ms, took: (performance.now() - begin) / 1000 };
    } catch (error) {
      if (!(error instanceof TookTooLong)) throw error;
    }
  }
  return best;
}

/** Trials A B A B ...: what each side reported. */
async function inTurn(task, sides, { trials, seconds, watch }) {
  const reports = sides.map(() => []);
  for (let trial = 0; trial < trials; trial++)
    for (const [i, { side, settings }] of sides.entries()) {
      const run = () => side.trial({ ...task, seconds }, settings);
      reports[i].push(await (watch ? watch.trial(run) : run()));
    }
  return reports;
}

/** Of each side the median over its trials, their range, and the median of its peak memory. */
function compared(ours, theirs) {
  const [limbeck, peer] = [summarise(ours), theirs && summarise(theirs)];
  const { settings, gflop, images } = ours[0];
  const all = [...ours, ...(theirs ?? [])];
  const peaks = all.flatMap((report) => report.peaks ?? []);
  return {
    ...{ settings, gflop, images, limbeck, peerNumbers: peer, ratio: peer && peer.ms / limbeck.ms },
    peak: peaks.length ? [Math.min(...peaks), Math.max(...peaks)] : undefined,
    again: all.reduce((sum, { again = 0 }) => sum + again, 0),
  };
}

const alternate = async (...args) => compared(...(await inTurn(...args)));

function summarise(reports) {
  const times = reports.map(({ ms }) => ms);
  const memories = reports.map(({ memory }) => memory).filter(Number.isFinite);
  return {
    ms: median(times),
    range: [Math.min(...times), Math.max(...times)],
    memory: memories.length ? median(memories) : undefined,
  };
}

async function resultsOf(task, { side, settings }, { folder }) {
  const results = join(folder, `results-${side.name}.safetensors`);
  await side.trial({ ...task, results }, settings);
  return readResults(results);
}

async function checkReference(name, side, options) {
  const workload = workloads[name];
  const size = workload.sizes.small;
  const arrays = await workload.inputs(size);
  const device = new ReferenceDevice();
  const reference = await workload.prepare(device, size, arrays);
  await reference.step();
  const expected = await reference.results();
  await device.dispose();
  const task = { workload: name, size: 'small', inputs: await writeInputs(name, 'small', options) };
  const actual = await resultsOf(task, { side, settings: side.settings(options)[0] }, options);
  const what = `limbeck against the float64 reference on ${name}`;
  return refuseWrong(what, actual, expected, toleranceOf(options));
}

async function writeInputs(name, size, { folder }) {
  const workload = workloads[name];
  const path = join(folder, `${name}-${size}.safetensors`);
  const sizes = workload.sizes[size];
  writeArrays(path, await workload.inputs(sizes), { kind: workload.kind, ...sizes });
  return path;
}
