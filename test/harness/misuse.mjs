/**
 * Random calls of the native engine, most of them wrong, with garbage collected between them. Each has to end in a result or in an
 * error with a code, never in a crash. They begin as programs of the ops' cases, which are right, and are changed in a few places.
 *
 *     node --expose-gc test/harness/misuse.mjs ADDON SEED SEQUENCES [alone]
 *
 * `alone` waits for each run before the next call, for a sanitizer that finds races: a tensor that is written while a program
 * runs is one. Prints what was done as a line of JSON.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const dist = new URL('../../dist/', import.meta.url);
const { Recorder } = await import(new URL('engine/program.js', dist));
const { describeProgram } = await import(new URL('engine/cpu/serialise.js', dist));
const { optimiserOf } = await import(new URL('engine/cpu/optimise.js', dist));
const { planStrips } = await import(new URL('engine/cpu/strips.js', dist));
const { atOnce } = await import(new URL('util/breathe.js', dist));
const { createNetwork } = await import(new URL('networks/index.js', dist));
const { recordMetaGradient } = await import(new URL('train/calls/meta-gradient.js', dist));

/** Where an error comes from that this addon did not make: V8 checks receivers before it is called. */
const foreign = /Illegal invocation|Class constructor|without 'new'/;

/** Programs as the addon takes them, small ones of all kernels, with the bytes that each tensor needs in its place. */
export async function descriptions(kernels) {
  const programs = [];
  for (const folder of ['engine/ops/', 'engine/cpu/ops/'])
    for (const file of readdirSync(new URL(folder, dist)).filter((name) => /^[a-z0-9]+\.js$/.test(name)))
      for (const { bench, name, record } of (await import(new URL(folder + file, dist))).cases) {
        if (bench) continue;
        const r = new Recorder(name);
        record(r);
        programs.push(r.program());
      }
  for (const name of ['convnet', 'lenet'])
    programs.push(
      recordMetaGradient({
        network: createNetwork({ name, inputShape: [1, 28, 28], classes: 2 }),
        ...{ members: 2, n: 2, B: 9, steps: 1, epochs: 1 },
      }),
    );
  const optimise = optimiserOf();
  const described = [];
  for (const program of programs) {
    const external = new Map(program.slots.filter((slot) => slot.external).map((slot) => [slot, { slot }]));
    const units = atOnce(planStrips(await optimise(program)));
    const { kept, ...description } = atOnce(describeProgram(units, kernels, external));
    const bytes = description.storages.reduce((sum, storage) => sum + storage.bytes, 0);
    if (bytes < 2 ** 20 || description.groups.length) described.push(description);
  }
  return described;
}

/** Numbers from 0 to 1, the same for every seed (mulberry32). */
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Misuse {
  counts = { sequences: 0, calls: 0, refused: 0, ran: 0 };
  /** Errors without a code. */
  raw = new Set();

  constructor(binding, described, seed, alone) {
    Object.assign(this, { binding, described, alone, random: randomOf(seed) });
    this.kernels = binding.kernels().length;
  }

  below = (n) => Math.floor(this.random() * n);
  one = (list) => list[this.below(list.length)];
  odd = () =>
    this.one([-1, 0, 1, 3, 64, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1.5, Number.NaN, 1 / 0]);

  strange = () => this.one([undefined, null, true, 'x', {}, [], () => {}, 1n, Symbol.iterator, this.odd()]);
  near = (n) => this.one([n + 1, n - 1, 2 * n, Math.floor(n / 2), n + 4, n - 4, n + 64, 0, -n, this.odd()]);

  /** A copy with some numbers, or whole fields, changed. */
  changed(description, changes) {
    const copy = structuredClone(description);
    for (let change = 0; change < changes; change++) {
      let at = copy;
      for (let depth = 0; depth < 8; depth++) {
        const key = this.one(Object.keys(at));
        if (key === undefined) break;
        const value = at[key];
        const ends = typeof value !== 'object' || value === null || this.random() < 0.02;
        if (!ends) {
          at = value;
          continue;
        }
        if (typeof value === 'number') at[key] = this.random() < 0.03 ? this.strange() : this.near(value);
        else if (typeof value === 'boolean') at[key] = !value;
        else at[key] = this.strange();
        break;
      }
    }
    return copy;
  }

  bytes(length) {
    const bytes = new Uint8Array(length);
    const kind = this.below(4);
    if (kind === 0) for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    if (kind === 1) bytes.fill(255);
    if (kind === 2)
      new Float32Array(bytes.buffer, 0, length >> 2).fill(this.one([Number.NaN, 1e30, -7, 0.5]));
    return bytes;
  }

  /** Gives an array away, if it is one. */
  detached(array) {
    if (ArrayBuffer.isView(array)) structuredClone(array, { transfer: [array.buffer] });
    return array;
  }

  program(device, tensors) {
    const description = this.changed(this.one(this.described), this.below(4));
    for (const storage of Array.isArray(description.storages) ? description.storages : [])
      if (storage?.tensor) {
        // The tensor that it needs, most of the time; a slot of it, an imagined one, one in use, or none.
        const needed =
          Number.isSafeInteger(storage.bytes) && storage.bytes > 0 ? Math.min(storage.bytes, 2 ** 22) : 4;
        const kind = this.below(12);
        if (kind === 0 && tensors.length) storage.tensor = this.one(tensors);
        else {
          storage.tensor = new this.binding.NativeTensor(
            kind === 1 ? this.below(needed) : needed,
            kind === 2,
          );
          if (kind > 2) storage.tensor.write(this.bytes(needed), 0);
          tensors.push(storage.tensor);
        }
      }
    if (this.below(12) === 0)
      Object.defineProperty(description, this.one(['steps', 'groups', 'arenaBytes', 'imagined']), {
        get: () => {
          device.free();
          global.gc();
          return this.one([[], 64, true]);
        },
      });
    return new this.binding.NativeProgram(device, description);
  }

  product(device) {
    const [depth, m, n] = [1 + this.below(9), 1 + this.below(70), 1 + this.below(70)];
    const arrays = [depth * m, depth * n, m * n].map((length) => new Float64Array(length).fill(0.5));
    const sizes = this.changed({ depth, m, n, symmetric: m === n && this.below(2) === 0 }, this.below(2));
    if (this.below(8) === 0)
      arrays[this.below(3)] = this.one([this.strange(), new Float32Array(4), arrays[0]]);
    if (this.below(8) === 0) this.detached(arrays[1]);
    const promise = this.binding.matrixProduct(device, ...arrays, sizes);
    if (this.below(3) === 0) this.detached(this.one(arrays));
    return promise;
  }

  /** A call by itself; what it returns is waited for at the end of the sequence. */
  call({ devices, tensors, programs }) {
    const { NativeDevice, NativeTensor, NativeProgram, measurePeak } = this.binding;
    const device = this.one(devices);
    const tensor = this.one(tensors);
    const program = this.one(programs);
    switch (this.below(16)) {
      case 0:
        return devices.push(
          new NativeDevice(
            this.one([...this.binding.isas(), this.strange()]),
            this.one([1, 2, 3, this.odd()]),
          ),
        );
      case 1:
        return tensors.push(
          new NativeTensor(
            this.one([0, 4, 40, 4096, this.strange()]),
            this.one([false, true, this.strange()]),
          ),
        );
      case 2:
        return tensor?.write(
          this.one([this.bytes(this.below(64)), this.detached(this.bytes(8)), this.strange()]),
          this.one([0, 0, 4, this.strange()]),
        );
      case 3:
        return tensor?.read(
          this.one([this.bytes(this.below(64)), this.detached(this.bytes(8)), this.strange()]),
        );
      case 4:
        return this.one([tensor, device, program, program])?.free();
      case 5:
        return program?.stop();
      case 6:
        return this.product(this.one([device, device, device, tensor, this.strange()]));
      case 7:
        return measurePeak(
          this.one([device, program, this.strange()]),
          this.one([0, -1, this.strange(), 2 ** 53]),
        );
      case 8:
        return global.gc();
      case 9:
        return this.one([
          NativeTensor.prototype.write,
          NativeProgram.prototype.run,
          NativeDevice.prototype.free,
        ]).call(
          this.one([device, tensor, program, Object.create(NativeTensor.prototype), this.strange()]),
          this.strange(),
        );
      case 10:
        return program?.bytes();
      case 11:
      case 12:
        return program?.[this.one(['run', 'run', 'profile'])](this.one([1, 2, 0, this.strange()]));
      default: {
        const made = this.program(
          this.one([device, device, device, device, tensor, this.strange()]),
          tensors,
        );
        programs.push(made);
        return this.below(4) ? made.run(1 + this.below(2)) : undefined;
      }
    }
  }

  note(error) {
    this.counts.refused++;
    if (typeof error?.code !== 'string' && !foreign.test(error?.message))
      this.raw.add(String(error?.stack ?? error));
  }

  async sequence() {
    const held = { devices: [], tensors: [], programs: [] };
    const { NativeDevice } = this.binding;
    for (let i = 0; i < 2; i++)
      held.devices.push(new NativeDevice(this.one(this.binding.isas()), 1 + this.below(3)));
    const promises = [];
    const length = 6 + this.below(14);
    for (let i = 0; i < length; i++) {
      this.counts.calls++;
      try {
        const result = this.call(held);
        if (!(result instanceof Promise)) continue;
        const noted = result.then(
          () => this.counts.ran++,
          (error) => this.note(error),
        );
        promises.push(noted);
        if (this.alone) await noted;
      } catch (error) {
        this.note(error);
      }
    }
    // Some are collected while they run.
    held.devices = held.tensors = held.programs = [];
    global.gc();
    await Promise.all(promises);
    this.counts.sequences++;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [addon, seed, sequences, alone] = process.argv.slice(2);
  const binding = createRequire(import.meta.url)(fileURLToPath(pathToFileURL(addon)));
  const misuse = new Misuse(binding, await descriptions(binding.kernels()), Number(seed), alone === 'alone');
  for (let i = 0; i < Number(sequences); i++) await misuse.sequence();
  console.log(JSON.stringify({ ...misuse.counts, raw: [...misuse.raw] }));
  process.exitCode = misuse.raw.size ? 1 : 0;
}
