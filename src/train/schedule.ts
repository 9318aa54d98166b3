/** Learning rate of an optimiser over a run, as factors of its base rate. */
export interface Schedule {
  /** `step`: multiplied by `factor` from one stage to the next; `cosine`: half a cosine, from 1 towards 0; `constant`. */
  readonly kind: 'step' | 'cosine' | 'constant';
  /** `step`: the factor, default 0.5. */
  readonly factor?: number;
  /** `step`: how many equal stages the run has, default 10. */
  readonly stages?: number;
  /** Iterations over which the rate first rises linearly: in iteration t by (t + 1) / warmup. Default 0. */
  readonly warmup?: number;
}

/** The rate of every iteration of a run. */
export function scheduleRates(base: number, iterations: number, schedule: Schedule): number[] {
  const { kind, factor = 0.5, stages = 10, warmup = 0 } = schedule;
  return Array.from({ length: iterations }, (_, t) => {
    const rise = t < warmup ? (t + 1) / warmup : 1;
    if (kind === 'cosine') return base * rise * 0.5 * (1 + Math.cos((Math.PI * t) / iterations));
    if (kind === 'step') return base * rise * factor ** Math.floor((t * stages) / iterations);
    return base * rise;
  });
}
