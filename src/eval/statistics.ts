/** An accuracy over several networks, in percent; `std` is the sample standard deviation (0 for one network). */
export interface Accuracy {
  readonly mean: number;
  readonly std: number;
  readonly networks: number;
}

export function summarise(values: readonly number[]): Accuracy {
  const networks = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / networks;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: networks > 1 ? Math.sqrt(squares / (networks - 1)) : 0, networks };
}

export function median(values: readonly number[]): number {
  if (!values.length) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
