import { fraction, notNegative } from '../util/option.js';
import { AdaptiveStarts } from './adaptive-starts.js';
import { cifar10, cifar100, digitSets } from './datasets.js';
import { defineMethod } from './method.js';
import { options as ofRat, published, method as rat, rulesOf } from './rat.js';
import { beginTruncated } from './truncated.js';

const { pool: _, ...shared } = ofRat;
const options = {
  ...shared,
  focus: notNegative(
    1,
    'how strongly windows follow the length of gradients, to where it is large in the first third of the run and small in the last; 0: not',
  ),
  spread: fraction(
    0.5,
    'how much narrower or wider than window one may be, as a part of it; 0 for one width',
  ),
};

/**
 * Unrolled training with adaptive truncation: as `rat`, with windows whose place and width follow the length of the inner gradients, by
 * `AdaptiveStarts`. Networks are drawn anew in every outer step. The paper's low-rank Hessian is not needed: products with the exact one are
 * what the sweep makes.
 */
export const method = defineMethod<'at', typeof options>({
  ...rat,
  name: 'at',
  source: 'after AT-BPTT, 2025: adaptive truncation, with rules of its own for place and width',
  summary: 'as rat, through a window whose place and width follow the inner gradients',
  options,
  presets: [
    { datasets: digitSets, own: true, options: { augmentation: 'none', protocol: 'rat-digits' } },
    { datasets: cifar10, ipc: 10, whitened: true, options: { ...published, window: 60, total: 200 } },
    {
      datasets: cifar100,
      ipc: 10,
      whitened: true,
      options: { ...published, window: 100, total: 300, labels: 'soft' },
    },
  ],

  complete: (o, given) => rat.complete?.({ ...o, pool: 0 }, given as never) ?? {},
  idle: (o) => rat.idle?.({ ...o, pool: 0 }) ?? {},
  check: (o) => rat.check?.({ ...o, pool: 0 }),
  describe: (o) => `${rat.describe({ ...o, pool: 0 })}, placed by gradients`,
  realImages: ({ batch }) => batch,

  begin(setting) {
    const o = { ...setting.options, pool: 0 };
    return beginTruncated('at', setting, o, rulesOf(o), new AdaptiveStarts(o.seed, o));
  },
});
