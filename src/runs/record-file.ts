import { readPixelScale } from '../data/pixel-scale.js';
import { readTextRecord } from '../data/text/stored.js';
import { pretrainedOf } from '../eval/set-file.js';
import type { Accuracy } from '../eval/statistics.js';
import { StoredFields } from '../util/stored-fields.js';
import { readRollbacks, storedOptionsOf } from './checkpoint.js';
import { readConfig, readEngine, readRecoveries } from './checkpoint-extra.js';
import { type RunRecord, runFormat } from './record.js';

/** Checks every field of a record, as `run.json` holds it or a program gives it; ERR_FILE_FORMAT, in the name of `file`. */
export function checkRecord(file: string, value: unknown): asserts value is RunRecord {
  const record = new StoredFields(file, 'record', value);
  record.word('format', [runFormat]);
  checkMaking(record);
  checkData(record.object('dataset'));
  const classes = record.object('dataset').texts('classNames').length;
  record.text('protocol');
  record.truth('stopped');
  record.whole('outerSteps', 0);
  for (const point of record.objects('curve')) {
    point.whole('iteration', 0);
    point.number('loss');
    point.number('validationAccuracy');
    point.optional('learningRates', (name) => point.numbers(name));
  }
  record.object('best').whole('iteration', 0);
  record.object('best').number('validationAccuracy');
  if (record.all().testAccuracy !== null) accuracyOf(record.object('testAccuracy'));
  checkResult(record, classes);
  for (const evaluation of record.optional('evaluations', (name) => record.objects(name)) ?? []) {
    evaluation.text('protocol');
    accuracyOf(evaluation.object('accuracy'));
    evaluation.optional('sameData', (name) => evaluation.truth(name));
    evaluation.optional('baselineImages', (name) => evaluation.whole(name, 1));
    checkResult(evaluation, classes);
    for (const other of evaluation.objects('others')) {
      other.text('network');
      accuracyOf(other.object('accuracy'));
      checkResult(other, classes);
    }
  }
  record.optional('pretrained', (name) => pretrainedOf(record.object(name)));
  record.optional('rollbacks', () => readRollbacks(record));
  record.optional('recoveries', () => readRecoveries(record));
  record.optional('diverged', (name) => record.text(name));
  record.whole('testOpened', 0);
  checkTimings(record.object('timings'));
}

/** The record that a file holds; ERR_FILE_FORMAT, in the name of `file`, for anything else. */
export function parseRecord(file: string, text: string): RunRecord {
  const value: unknown = StoredFields.parse(file, 'record', text).all();
  checkRecord(file, value);
  return value;
}

/** What it was made from and with. */
function checkMaking(record: StoredFields): void {
  const config = record.object('config');
  readConfig(config, storedOptionsOf(config.object('options')));
  readEngine(record.object('engine'));
  record.whole('seed', 0);
  record.object('versions').text('limbeck');
  record.object('versions').text('node');
  record.text('platform');
}

function checkData(data: StoredFields): void {
  data.text('name');
  const [channels] = data.numbers('imageShape', 3, wholeFrom(1));
  data.optional('originalShape', (name) => data.numbers(name, 3, wholeFrom(1)));
  data.texts('classNames');
  data.numbers('mean', channels);
  data.numbers('std', channels);
  data.optional('text', (name) => readTextRecord(data.object(name)));
  readPixelScale(data);
  data.optional('zca', (name) => data.object(name).number('epsilon'));
  for (const split of ['train', 'validation', 'test']) data.object('splits').whole(split, 0);
  data.text('sha256');
}

const wholeFrom = (least: number) => ({
  expected: `whole numbers from ${least} on`,
  test: (value: number) => Number.isInteger(value) && value >= least,
});

function accuracyOf(fields: StoredFields): Accuracy {
  return { mean: fields.number('mean'), std: fields.number('std'), networks: fields.whole('networks', 1) };
}

/** How far networks are misled, where a set is to mislead them. */
function checkAttack(fields: StoredFields): void {
  const attack = fields.optional('attack', (name) => fields.object(name));
  for (const name of ['taken', 'others']) if (attack) accuracyOf(attack.object(name));
}

/** What tests of any kind have in common. */
function checkResult(fields: StoredFields, classes: number): void {
  const baselines = fields.object('baselines');
  for (const name of Object.keys(baselines.all())) {
    const baseline = baselines.object(name);
    accuracyOf(baseline);
    baseline.text('title');
    baseline.optional('learningRate', (rate) => baseline.number(rate));
    baseline.optional('perClass', (name) => baseline.numbersOrNull(name, classes));
    baseline.optional('images', (name) => baseline.whole(name, 0));
    baseline.optional('teacher', (name) => baseline.text(name));
    checkAttack(baseline);
  }
  checkAttack(fields);
  fields.optional('perClass', (name) => fields.numbersOrNull(name, classes));
  fields.optional('confusion', (name) => fields.square(name, classes, wholeFrom(0)));
  if (!['learned', 'none'].includes(fields.all().learningRate as string))
    fields.optional('learningRate', (name) => fields.number(name));
}

function checkTimings(timings: StoredFields): void {
  timings.number('seconds');
  timings.number('evaluationSeconds');
  const step = timings.object('stepMilliseconds');
  for (const name of ['median', 'min']) if (step.all()[name] !== null) step.number(name);
}
