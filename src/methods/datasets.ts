/** Data sets of digits, by name, for presets: digits do not survive a mirror. */
export const digitSets: readonly string[] = ['digits', 'mnist', 'usps', 'svhn'];
