import type { Device } from '../../src/index.js';

/** Every list of `length` numbers that is written to a device from now on, in order. Changes the device itself. */
export function writtenTo(device: Device, length: number): number[][] {
  const log: number[][] = [];
  const note = (values?: ArrayLike<number>) => {
    if (values?.length === length) log.push(Array.from(values));
  };
  const { tensor } = device;
  device.tensor = async (dtype, size, values) => {
    const made = await tensor.call(device, dtype, size, values);
    note(values);
    const { write } = made;
    made.write = (...written) => {
      note(written[0]);
      return write.apply(made, written);
    };
    return made;
  };
  return log;
}
