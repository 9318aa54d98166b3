import { LimbeckError } from '../util/errors.js';

const units = { s: 1, m: 60, h: 3600 } as const;

/** Seconds of a time such as 90s, 20m or 2h, as `--budget` has it. */
export function secondsOf(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smh])$/.exec(text) ?? [];
  if (number === undefined || Number(number) === 0)
    throw new LimbeckError(
      'ERR_OPTION',
      `--budget is ${text}, expected a time above 0 with its unit, such as 90s, 20m or 2h`,
    );
  return Number(number) * units[unit as keyof typeof units];
}
