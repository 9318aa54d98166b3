/** Names of data sets, for presets: those that limbeck gives, and those that people give. */

/** Digits do not survive a mirror. */
export const digitSets: readonly string[] = ['digits', 'mnist', 'usps', 'svhn'];

export const cifar10: readonly string[] = ['cifar10', 'cifar-10'];
export const cifar100: readonly string[] = ['cifar100', 'cifar-100'];

/** DSA's augmentation without its mirror. */
export const notMirrored = { augmentation: 'dsa-digits', protocol: 'dsa-digits' } as const;

/** The same as DSA's authors have it for MNIST and SVHN. */
export const dsaDigits = [
  { datasets: ['mnist', 'svhn'], options: notMirrored },
  { datasets: ['digits', 'usps'], own: true, options: notMirrored },
] as const;
