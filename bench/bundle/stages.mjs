/** The stages of a bundle's run: the program of each, and what its results say in Markdown. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { notesOf, stepsTable } from '../suite/table.mjs';

const script = (path) => new URL(`../../${path}`, import.meta.url).pathname;
const json = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined);

function conformance(title, precision) {
  const file = (out) => join(out, `conformance-${precision}.json`);
  return {
    title,
    args: ({ device, members, checks }, out) => [
      script('bench/conformance/run.mjs'),
      ...['--device', device, '--precision', precision, '--members', members, '--json', file(out)],
      ...(checks && precision === 'single' ? ['--only', checks] : []),
    ],
    results: (out) => json(file(out)),
    markdown: ({ refused, device, agree, differ, finished }) =>
      refused
        ? `Not made: ${refused}.`
        : [
            `${device}: ${agree} checks agree with the float64 reference, ${differ.length} differ${finished ? '' : '; not all were made'}.`,
            ...differ.map(({ name, error }) => `- ${name}: ${error}`),
          ].join('\n'),
  };
}

/**
 * By name: `args(flags, out, data)` of the Node program, and `results(out)`, what it left, also when it was stopped.
 * `markdown(results)` is shown.
 */
export const stages = {
  conformance: conformance('Conformance', 'single'),
  half: conformance('Conformance in half precision', 'half'),
  bench: {
    title: 'Benchmark',
    args: ({ device, precision, trials, seconds, quick, peers, modes, only }, out) => [
      script('bench/run.mjs'),
      ...['--device', device, '--json', join(out, 'bench.json')],
      ...(quick ? ['--quick'] : ['--trials', trials, '--seconds', seconds]),
      ...(peers === undefined ? [] : ['--peers', peers]),
      ...(modes === undefined ? [] : ['--modes', modes]),
      ...(only ? ['--only', only] : []),
      ...(precision ? ['--precision', precision] : []),
    ],
    results: (out) => json(join(out, 'bench.json')),
    markdown: ({ head, rows, kernels }) =>
      [head, rows.length && stepsTable(rows), notesOf(rows).join('\n'), kernels].filter(Boolean).join('\n\n'),
  },
  main: {
    title: 'The main job',
    args: ({ device, precision, iterations, labels, distill }, out, data) => [
      script('dist/cli/main.js'),
      ...['distill', '--dataset', data, '--device', device, '--labels', labels],
      ...['--iterations', iterations, '--out', join(out, 'main'), '--force'],
      ...(precision ? ['--precision', precision] : []),
      ...distill.split(' ').filter(Boolean),
    ],
    results: (out) => json(join(out, 'main/run.json')),
    markdown: ({ engine, dataset, outerSteps, best, testAccuracy, timings }) =>
      [
        `${engine.description}, ${dataset.name}: ${outerSteps} outer steps in ${timings.seconds.toFixed(1)} s, ` +
          `median ${timings.stepMilliseconds.median?.toFixed(2)} ms a step.`,
        `Best validation accuracy ${best.validationAccuracy.toFixed(1)} % after step ${best.iteration}; test accuracy ` +
          `${testAccuracy ? `${testAccuracy.mean.toFixed(1)} %` : 'not measured: the run was stopped'}.`,
      ].join('\n'),
  },
};
