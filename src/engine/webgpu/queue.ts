import { Turns } from '../turns.js';
import { type Abilities, plain } from './abilities.js';
import { Reader } from './buffers.js';
import { Health } from './health.js';
import { Pace } from './pace.js';
import { Pipelines } from './pipelines.js';

/** What holds memory of a device until it is disposed. */
export interface Holder {
  readonly bytes: number;
  dispose(): void;
}

/**
 * A GPU device with what its tensors and loaded programs share. Work is handed to its queue in the order it was asked for.
 */
export class DeviceQueue {
  readonly tensors = new Set<Holder>();
  readonly executables = new Set<Holder>();
  readonly pipelines: Pipelines;
  readonly pace = new Pace();
  readonly reader: Reader;
  readonly #health: Health;
  readonly #turns = new Turns();

  constructor(
    /** Kept for as long as the device: Dawn crashes when it is collected first. */
    readonly gpu: GPU,
    readonly raw: GPUDevice,
    software: boolean,
    abilities: Abilities = plain,
  ) {
    this.#health = new Health(raw);
    this.pipelines = new Pipelines(raw, software, abilities);
    this.reader = new Reader(raw);
  }

  /** Does something when everything asked for earlier has been handed to the queue; fails when the device has. */
  inTurn<T>(action: () => T | Promise<T>): Promise<T> {
    return this.#turns.take(() => {
      this.#health.check();
      return action();
    });
  }

  /** Does something in its turn whatever became of the device: giving memory back. */
  afterwards(action: () => void): void {
    void this.#turns.take(action);
  }

  /** Throws when the device is lost, failed or disposed. */
  check(): void {
    this.#health.check();
  }

  /** Waits for something of the device. After a loss promises may even resolve, so it is checked either way. */
  async guard<T>(waiting: Promise<T>): Promise<T> {
    // When the check throws nothing awaits it any more: its own rejection must not be an unhandled one.
    waiting.catch(() => {});
    this.#health.check();
    try {
      return await waiting;
    } finally {
      this.#health.check();
    }
  }

  /** Disposes what is alive; whatever is asked for from now on fails. */
  async dispose(): Promise<void> {
    for (const executable of [...this.executables]) executable.dispose();
    for (const tensor of [...this.tensors]) tensor.dispose();
    this.#health.dispose();
    this.raw.destroy();
  }
}
