import {
  type Theory,
  type TheoryExponent,
  type TheoryGoal,
  type TheoryWay,
  theoryGoals,
  theoryWays,
} from '../analysis/theory/theory.js';
import { count } from '../util/words.js';
import { page, section } from './analysis-page.js';
import { escapeHtml, lineChart, type Series } from './figure.js';
import { nothing, wideTable } from './page/wide-table.js';

export const wayNames: Readonly<Record<TheoryWay, string>> = {
  matched: 'matched',
  oneStep: 'one step',
  projected: 'one step, projected',
};
export const goalNames: Readonly<Record<TheoryGoal, string>> = {
  gradient: 'nine tenths of the gradient',
  kept: 'second layer handed over',
  learned: 'second layer learned from labels',
};

/** `1.53 ± 0.04` */
export const exponentText = ({ exponent, error }: TheoryExponent): string =>
  exponent === undefined ? '–' : `${exponent.toFixed(2)} ± ${error!.toFixed(2)}`;

/** Numbers that it takes to store what a network learns of few directions, as a page that needs nothing but itself. */
export function theoryPage(found: Theory): string {
  const { base, curves, random, error, link, activation, seeds } = found;
  const at = `d ${base.d}, r ${base.r}, width ${base.width}`;
  const pairs = {
    name: 'random pairs',
    tone: theoryWays.length,
    points: random.map(({ numbers, learned }) => [numbers, learned.mean] as const),
  };
  const curvesOf = (value: (point: Theory['curves'][number]['points'][number]) => number) =>
    curves.map(({ way, points }, tone) => ({
      ...{ name: wayNames[way], tone },
      points: points.map((point) => [point.numbers, value(point)] as const),
    }));
  const numbers = 'stored numbers';
  const names = [...theoryWays.map((way) => wayNames[way]), pairs.name];
  const need = (of: 'd' | 'r' | 'width', goal: TheoryGoal) =>
    chart(`By ${of}: ${goalNames[goal]}`, of, 'numbers of the points', neededBy(found, of, goal));
  return page(
    `${link}, ${activation}`,
    'How much memory does a target of few directions take?',
    `Quadratic targets of r of d directions, networks of two layers, means over ${count(seeds)} seeds. A few distilled points stand for all data in the first layer's one step.`,
    section(
      'Test error',
      `Percent of the variance, ${at}; a network that learns from all data has ${found.all.mean.toFixed(1)}. Stored are d + 1 numbers a point, and one for each neuron of the second layer.`,
      [
        chart('Second layer learned from labels', numbers, 'test error, %', [
          ...curvesOf(({ learned }) => learned.mean),
          pairs,
        ]),
        chart(
          'Second layer handed over',
          numbers,
          'test error, %',
          curvesOf(({ kept }) => kept.mean),
        ),
        chart(
          'Of the first step’s gradient',
          numbers,
          'not matched, %',
          curvesOf(({ gradient }) => gradient.mean),
        ),
        chart(
          'Alignment',
          numbers,
          '|P x| / |x|',
          curvesOf(({ alignment }) => alignment.mean),
          false,
        ),
      ],
      names,
    ) +
      section(
        'Numbers that it takes',
        `To match nine tenths of the first step's gradient, or for a test error of ${error} %; those of the second layer come on top.`,
        (['d', 'r', 'width'] as const).flatMap((of) => theoryGoals.map((goal) => need(of, goal))),
        names.slice(0, -1),
      ) +
      `<section><h2>Exponents</h2><p class="about">Of the numbers of the points, as a power of each size, with standard errors.</p>${exponents(found)}</section>`,
  );
}

function neededBy({ base, needed }: Theory, of: 'd' | 'r' | 'width', goal: TheoryGoal): Series[] {
  const others = (['d', 'r', 'width'] as const).filter((name) => name !== of);
  return theoryWays.map((way, tone) => ({
    ...{ name: wayNames[way], tone },
    points: needed
      .filter(
        (one) => one.way === way && one.goal === goal && others.every((name) => one[name] === base[name]),
      )
      .sort((a, b) => a[of] - b[of])
      .flatMap((one) => (one.numbers ? [[one[of], one.numbers.mean] as const] : [])),
  }));
}

function exponents({ exponents: found }: Theory): string {
  const rows = theoryWays.flatMap((way) =>
    theoryGoals.map((goal) => ({
      cells: [
        `<td>${escapeHtml(wayNames[way])}</td>`,
        `<td>${escapeHtml(goalNames[goal])}</td>`,
        ...(['d', 'r', 'width'] as const).map((of) => {
          const one = found.find((other) => other.of === of && other.way === way && other.goal === goal)!;
          return one.exponent === undefined ? nothing : `<td class="number">${exponentText(one)}</td>`;
        }),
      ],
    })),
  );
  return wideTable(['points', 'asked', 'of d', 'of r', 'of width'], rows);
}

function chart(
  title: string,
  xLabel: string,
  yLabel: string,
  series: readonly Series[],
  logarithmic = true,
): string {
  const options = { title, xLabel, yLabel, series, marks: true, logarithmicX: true };
  return `<div class="card"><h3>${escapeHtml(title)}</h3>${lineChart({ ...options, ...(logarithmic && { logarithmicFrom: 1 }) })}</div>`;
}
