import type { Tensor } from '../engine/device.js';
import type { Owned } from '../util/owned.js';
import { firstLabels } from './first-labels.js';
import { itemCount, oneHotLabels } from './items.js';
import type { Process, Setting } from './method.js';
import { Pool } from './pool.js';
import { type Beside, beginRecorded } from './recorded.js';
import type { Starts } from './starts.js';
import { TrainOnItems } from './train-on-items.js';
import type { Variable } from './variable.js';
import { minibatchesOf, recordWindow, type TruncatedOptions, type TruncatedRules } from './window.js';

type Tensors = Readonly<Record<string, Tensor>>;

/**
 * Unrolled training through a window of a longer training as a process: networks are brought to where `starts` has the window of an
 * outer step begin, and the loss after it is differentiated through the window alone.
 */
export function beginTruncated(
  name: string,
  setting: Setting,
  o: TruncatedOptions,
  rules: TruncatedRules,
  starts: Starts,
): Promise<Process> {
  const { items, network } = setting;
  const { labels: soft } = rules;
  const oneHot = oneHotLabels(items);
  const count = itemCount(items);
  const labels: readonly Variable[] = soft
    ? [
        {
          name: 'labels',
          shape: [count, network.classes],
          first: firstLabels(setting, o.firstLabels),
          update: soft,
        },
      ]
    : [];

  return beginRecorded(setting, {
    name: 'window of training',
    itemRule: rules.items,
    variables: labels,
    variants: starts.widths?.length,
    record: (r, step, variant) => {
      const { window = o.window, widest } = widthsOf(starts, variant);
      return recordWindow(r, setting, step, { ...o, window, widest }, rules);
    },

    async prepare(tensors) {
      await tensors.numbers?.write(Uint32Array.from({ length: count }, (_, i) => i));
      if (!soft) await tensors.labels.write(oneHot);
    },

    beside: (tensors, owned) => windowStarts(setting, o, rules, starts, tensors, owned),

    async result(learner, tensors) {
      const labels = await learner.values(tensors, 'labels');
      const use = { kind: 'minibatches', protocol: o.protocol } as const;
      return learner.set(tensors, { method: name, labels, use });
    },
  });
}

/** The width of a variant, and the most that there is, where there are several or what they see is learned from. */
const widthsOf = ({ widths }: Starts, variant: number) =>
  widths ? { window: widths[variant], widest: Math.max(...widths) } : {};

/** Networks that are drawn and trained up to where the window of an outer step begins, or kept from where another one ended. */
async function windowStarts(
  setting: Setting,
  o: TruncatedOptions,
  { training }: TruncatedRules,
  starts: Starts,
  tensors: Tensors,
  owned: Owned,
): Promise<Beside> {
  const how = {
    ...{ members: o.population, rate: o.networkLr, augmentation: o.augmentation },
    training: minibatchesOf(setting, o, training),
  };
  const networks = await TrainOnItems.create(setting, how, tensors, owned);
  const pool = o.pool > 0 ? await createPool(setting, o, tensors, owned) : undefined;
  const { learned } = starts;
  const kept = learned && owned.own(await setting.device.tensor('f32', learned.length));
  return {
    programs: [...networks.programs, ...(pool ? [pool.program] : [])],
    executables: networks.executables,
    tensors: { ...pool?.tensors, ...(kept && { learned: kept }) },
    async goTo() {
      if (kept) starts.goTo?.(await kept.read());
    },
    variant: (step) => starts.at(step).width ?? 0,
    async before(step, signal) {
      const { number, place, age, fresh } = starts.at(step);
      if (fresh) await networks.draw(number, signal);
      else await pool!.take(place, signal);
      await networks.at(number, fresh ? 0 : age);
      if (fresh) await networks.train(age, signal);
    },
    async after(step, signal) {
      await pool?.put(starts.at(step).place, signal);
      if (!kept) return;
      starts.learn?.(step, await tensors.squaredNorms.read());
      await kept.write(learned);
    },
  };
}

function createPool({ device }: Setting, { pool }: TruncatedOptions, tensors: Tensors, owned: Owned) {
  const { theta, moments, nextTheta, nextMoments } = tensors;
  const ends = moments
    ? { from: { theta: nextTheta, moments: nextMoments }, to: { theta, moments } }
    : { from: { theta: nextTheta } as Tensors, to: { theta } as Tensors };
  return Pool.create(device, pool, ends, owned);
}
