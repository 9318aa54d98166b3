import type { DistilledSet, Use } from '../data/distilled-set.js';
import type { Executable, Tensor } from '../engine/device.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import * as random from '../engine/ops/random.js';
import { type Program, Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import type { Owned } from '../util/owned.js';
import { decodingProgram, itemClasses, oneHotLabels } from './items.js';
import type { Setting } from './method.js';
import {
  recordUpdate,
  startVariable,
  stateNames,
  type UpdateRule,
  type Variable,
  writeRates,
} from './variable.js';

/** What a method finds when it records one outer step. */
export interface OuterStep {
  /** Random numbers of this outer step: u32 `[4]`. */
  readonly state: View;
  /** `[count, C, H, W]`: the items. */
  readonly items: View;
  /** As `items`: where their gradient goes. */
  readonly itemsBar: View;
  /** The other variables. */
  readonly variables: Readonly<Record<string, View>>;
  /** `[1]`: where the loss goes. */
  readonly loss: View;
}

/** Gradients of the variables that are not stored items, by name. */
export type Bars = Readonly<Record<string, View>>;

type Tensors = Readonly<Record<string, Tensor>>;

/** What a run learns: the variables that items are decoded from, and others; their updates, state and result. */
export class Learner {
  readonly variables: readonly Variable[];
  #decode: Executable | undefined;
  #decoded: Tensor | undefined;

  /** `itemRule` moves what is stored of the items; undefined, it stays what it begins as. */
  constructor(
    readonly setting: Setting,
    itemRule: UpdateRule | undefined,
    others: readonly Variable[] = [],
  ) {
    const { decoder, first } = setting.items;
    const stored = Object.entries(decoder.variables).map(
      ([name, shape]): Variable => ({
        name,
        shape,
        first: first[name],
        update: name === decoder.given ? undefined : itemRule,
      }),
    );
    this.variables = [...stored, ...others];
  }

  /** Records one outer step: items decoded, what `record` does, the way back, the updates. */
  record(name: string, record: (r: Recorder, step: OuterStep) => Bars): Program {
    const { items, options } = this.setting;
    const r = new Recorder(name);
    const state = r.external('state', 1, [4], 'u32');
    const views: Record<string, View> = {};
    const stored: Record<string, View> = {};
    for (const { name, shape } of this.variables) {
      views[name] = r.external(name, 1, shape);
      if (name in items.decoder.variables) stored[name] = r.temporary(`${name}Bar`, 1, shape);
    }
    const decoded = items.decoder.decode(r, views, stored);
    const loss = r.external('loss', 1, [1]);
    const step = { state, items: decoded.items, itemsBar: decoded.itemsBar!, variables: views, loss };
    const bars = { ...stored, ...record(r, step) };
    decoded.backward();
    for (const variable of this.variables) {
      const { name } = variable;
      recordUpdate(r, variable, { theta: views[name], bar: bars[name], state }, options);
    }
    random.advance(r, { state });
    return r.program();
  }

  /** The tensors of `all` that are the state of the variables. */
  state(all: Tensors): Tensors {
    const names = this.variables.flatMap((variable) => stateNames(variable, this.setting.options.average));
    return Object.fromEntries(names.map((name) => [name, all[name]]));
  }

  /** Brings the variables to where they are before the first step, and prepares the decoding of results. */
  async start(tensors: Tensors, owned: Owned): Promise<void> {
    const { device, items, options } = this.setting;
    for (const variable of this.variables) await startVariable(variable, tensors, options.iterations);
    const names = Object.keys(items.decoder.variables);
    const current = Object.fromEntries(names.map((name) => [name, this.#current(tensors, name)]));
    const bound = await loadWithTensors(device, decodingProgram(items.decoder), owned, current);
    this.#decode = bound.executable;
    this.#decoded = bound.tensors.items;
  }

  /** The rates of all outer steps, those that were asked for times `factor`. */
  async writeRates(tensors: Tensors, factor: number): Promise<void> {
    const { iterations } = this.setting.options;
    for (const variable of this.variables) await writeRates(variable, tensors, iterations, factor);
  }

  /** What a variable is as a result: its running average where one is kept. */
  async values(tensors: Tensors, name: string): Promise<Float32Array> {
    return await readFloats(this.#current(tensors, name));
  }

  /** The set as it is now; `labels` `[count, K]`. */
  async set(
    tensors: Tensors,
    { method, labels, use }: { method: string; labels: Float32Array; use: Use },
  ): Promise<DistilledSet> {
    const { items, options, networkOptions, pretrained, attack } = this.setting;
    await this.#decode!.run();
    const shapes = items.decoder.variables;
    // Items that are stored as they are need no second copy.
    const asTheyAre = items.parametrisation.name === 'pixels';
    const variables: Record<string, { shape: readonly number[]; data: Float32Array }> = {};
    if (!asTheyAre)
      for (const [name, shape] of Object.entries(shapes))
        variables[name] = { shape, data: await this.values(tensors, name) };
    return {
      method,
      network: networkOptions,
      images: await readFloats(this.#decoded!),
      classes: itemClasses(items),
      labels,
      use,
      stored: { parametrisation: items.parametrisation, pictures: items.pictures, variables },
      seed: options.seed,
      ...(attack && { attack }),
      ...(pretrained?.record && { pretrained: pretrained.record }),
    };
  }

  /** The set as it is now: hard labels, for ordinary training under a protocol. */
  trainingSet(tensors: Tensors, method: string, protocol: string): Promise<DistilledSet> {
    const labels = oneHotLabels(this.setting.items);
    return this.set(tensors, { method, labels, use: { kind: 'minibatches', protocol } });
  }

  #current(tensors: Tensors, name: string): Tensor {
    return tensors[`${name}.average`] ?? tensors[name];
  }
}
