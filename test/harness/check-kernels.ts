/**
 * Holds the native kernels to the reference on every case of every op, without a test runner, so that it also runs
 * where none does: compiled, under an emulator of another processor. Prints one line of JSON.
 */
import { cpuInfo, openCpuDevice } from '../../src/engine/cpu/device.js';
import { expectCaseAgrees } from './cases.js';
import { cases } from './native-cases.js';

const failures: string[] = [];
const run = cases.filter((opCase) => !opCase.bench);
for (const isa of cpuInfo().isas) {
  const device = await openCpuDevice({ isa, threads: 2 });
  for (const opCase of run)
    await expectCaseAgrees(device, opCase).catch((error: Error) => failures.push(error.message));
  await device.dispose();
}
const { isas } = cpuInfo();
console.log(JSON.stringify({ arch: process.arch, node: process.version, isas, cases: run.length, failures }));
process.exitCode = failures.length ? 1 : 0;
