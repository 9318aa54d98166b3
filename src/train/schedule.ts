/** Learning rate of an optimiser over a run, as factors of its base rate. JSON-serialisable. */
export interface Schedule {
  /**
   * `step`: multiplied by `factor` from one stage to the next; `halfway`: multiplied by `factor` once, where the program
   * of DC (Zhao et al. 2021) does it: at the beginning of epoch floor((epochs - 1) / 2) + 2, counted from 0; `cosine`:
   * half a cosine, from 1 towards 0; `constant`.
   */
  readonly kind: (typeof scheduleKinds)[number];
  /** `step` and `halfway`: the factor, default 0.5 and 0.1. */
  readonly factor?: number;
  /** `step`: how many equal stages the run has, default 10. */
  readonly stages?: number;
  /** Iterations over which the rate first rises linearly: in iteration t by (t + 1) / warmup. Default 0. */
  readonly warmup?: number;
}

export const scheduleKinds = ['cosine', 'step', 'halfway', 'constant'] as const;

/** What each kind takes besides. */
const numbersOf: Record<Schedule['kind'], readonly string[]> = {
  cosine: ['warmup'],
  step: ['factor', 'stages', 'warmup'],
  halfway: ['factor', 'warmup'],
  constant: ['warmup'],
};

/** The iterations at which the second and every later stage begin; none where the rate does not fall in stages. */
export function stageStarts({ kind, stages = 10 }: Schedule, iterations: number, perEpoch = 1): number[] {
  const starts = Array.from({ length: stages - 1 }, (_, i) => Math.ceil(((i + 1) * iterations) / stages));
  const half = (Math.floor((iterations / perEpoch - 1) / 2) + 2) * perEpoch;
  const all = kind === 'step' ? starts : kind === 'halfway' ? [half] : [];
  return all.filter((start) => start < iterations);
}

/** The rate of every iteration of a run; an epoch is `perEpoch` of them. */
export function scheduleRates(base: number, iterations: number, schedule: Schedule, perEpoch = 1): number[] {
  const { kind, factor = kind === 'halfway' ? 0.1 : 0.5, warmup = 0 } = schedule;
  const starts = stageStarts(schedule, iterations, perEpoch);
  let stage = 0;
  return Array.from({ length: iterations }, (_, t) => {
    while (starts[stage] <= t) stage++;
    const rise = t < warmup ? (t + 1) / warmup : 1;
    if (kind === 'cosine') return base * rise * 0.5 * (1 + Math.cos((Math.PI * t) / iterations));
    return base * rise * factor ** stage;
  });
}

const whole = (least: number) => (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) >= least
    ? undefined
    : `a whole number of at least ${least}`;

const checks: Readonly<Record<string, (value: unknown) => string | undefined>> = {
  factor: (value) =>
    typeof value === 'number' && Number.isFinite(value) && value > 0 ? undefined : 'a number above 0',
  stages: whole(1),
  warmup: whole(0),
};

/** What a schedule should have been; undefined when it is fine. */
export function expectedSchedule(schedule: unknown): string | undefined {
  if (typeof schedule !== 'object' || schedule === null || Array.isArray(schedule))
    return 'an object such as { kind: "step", factor: 0.5, stages: 10, warmup: 0 }';
  const { kind, ...numbers } = schedule as Schedule;
  if (!scheduleKinds.includes(kind)) return `one of ${scheduleKinds.join(', ')} as its kind`;
  for (const [name, value] of Object.entries(numbers)) {
    if (!numbersOf[kind].includes(name))
      return `no ${name} in it; ${kind} takes ${numbersOf[kind].join(', ')}`;
    const expected = value === undefined ? undefined : checks[name](value);
    if (expected) return `${expected} as its ${name}`;
  }
  return undefined;
}

/** In words, after a rate: `, a tenth of it after half the epochs`; nothing for a constant one. */
export function describeSchedule({ kind, factor, stages = 10, warmup = 0 }: Schedule): string {
  const share = factor === undefined || factor === 0.1 ? 'a tenth' : String(factor);
  const courses: Record<Schedule['kind'], string> = {
    halfway: `, ${share} of it after half the epochs`,
    step: `, times ${factor ?? 0.5} from each of ${stages} stages to the next`,
    cosine: ', falling as a cosine',
    constant: '',
  };
  return `${courses[kind]}${warmup ? `, rising over the first ${warmup} steps` : ''}`;
}
