// biome-ignore-all lint/suspicious/noTemplateCurlyInString: faults are put into templates, too
const tests = ['test/report.page.test.ts'];
const results = 'src/report/page/results.ts';

/** What people read. */
export const report = [
  {
    id: 'baselines-show-the-first',
    file: results,
    find: 'row(`${images} ${baseline.title}`, baseline, ',
    replace: 'row(`${images} ${baseline.title}`, Object.values(baselines)[0], ',
    what: 'every baseline in the report shows the number of the first one',
    tests,
  },
  {
    id: 'bar-shows-the-rest',
    file: results,
    find: '<i style="width:${percent(mean)}"></i>',
    replace: '<i style="width:${percent(100 - mean)}"></i>',
    what: 'the bar of a result shows 100 minus it',
    tests,
  },
  {
    id: 'class-name-not-escaped',
    file: 'src/report/page/evaluations.ts',
    find: '`<tr><td>${escapeHtml(name)}</td><td class="number">${value.toFixed(1)} %</td>` +',
    replace: '`<tr><td>${name}</td><td class="number">${value.toFixed(1)} %</td>` +',
    what: 'a class name is not escaped in "Class by class"',
    tests,
  },
  {
    id: 'table-shows-the-first-baseline',
    file: 'src/cli/table.ts',
    find: '      accuracyText(baseline),\n',
    replace: '      accuracyText(Object.values(baselines)[0]),\n',
    what: 'every baseline in the table of `limbeck evaluate` shows the number of the first one',
    tests: ['test/cli.evaluate.test.ts'],
  },
  {
    id: 'best-not-pointed-out',
    file: 'src/report/page/curves.ts',
    find: '          x: best.iteration,\n',
    replace: '          x: curve[curve.length - 1].iteration,\n',
    what: 'the last look is pointed out as the best',
    tests,
  },
];
