import { expectedSchedule, type Schedule, scheduleKinds } from '../train/schedule.js';
import { type Option, text } from '../util/option.js';

/** The course of a rate: a kind by its name, or in a configuration file an object that says more. */
export const schedule = (kind: Schedule['kind'], help: string): Option<Schedule> =>
  text<Schedule>({ kind }, help, expectedSchedule, { value: scheduleKinds.join('|'), fallback: kind });
