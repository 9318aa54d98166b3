import { cpuInfo } from '../engine/cpu/device.js';
import type { EngineName } from '../engine/device.js';
import { chooseDevice } from '../engine/open.js';
import { ReferenceDevice } from '../engine/reference.js';
import { type AdapterReport, probeAdapters } from '../engine/webgpu/probe.js';
import { counted } from '../util/words.js';
import type { Command } from './command.js';
import { debug, help, json } from './options.js';

interface EngineReport {
  readonly engine: EngineName;
  readonly available: boolean;
  /** What it is, or why it is not available. */
  readonly description: string;
  readonly adapters?: readonly AdapterReport[];
}

export const command: Command = {
  name: 'devices',
  summary: 'shows every engine, and which one auto takes',
  positionals: [],
  options: [json, debug, help],
  example: 'limbeck devices',

  async run({ values }) {
    const engines = [await webgpu(), cpu(), await reference()];
    const auto = await chooseDevice();
    process.stdout.write(values.json ? `${JSON.stringify({ engines, auto })}\n` : text(engines, auto));
    return 0;
  },
};

async function webgpu(): Promise<EngineReport> {
  const { adapters, reason } = await probeAdapters();
  const engine = 'webgpu';
  if (!adapters.length) return { engine, available: false, description: reason ?? 'no adapter', adapters };
  return { engine, available: true, description: counted(adapters.length, 'adapter'), adapters };
}

function cpu(): EngineReport {
  const engine = 'cpu';
  try {
    const { isa, isas, threads, threadsBecause } = cpuInfo();
    const because = threadsBecause && `: ${threadsBecause}`;
    const description = `${isa}, ${counted(threads, 'thread')}${because} (instruction sets here: ${isas.join(', ')})`;
    return { engine, available: true, description };
  } catch (error) {
    return { engine, available: false, description: (error as Error).message.split('\n')[0] };
  }
}

async function reference(): Promise<EngineReport> {
  const device = new ReferenceDevice();
  const { description } = device;
  await device.dispose();
  return { engine: 'reference', available: true, description };
}

function text(engines: readonly EngineReport[], auto: { engine: EngineName; reason: string }): string {
  const lines = engines.flatMap(({ engine, available, description, adapters = [] }) => [
    `${engine.padEnd(10)} ${available ? description : `not available: ${description}`}`,
    ...adapters.flatMap(adapterLines),
  ]);
  const several = engines.some(({ adapters = [] }) => adapters.length > 1);
  const how = several
    ? '--device webgpu:1 takes adapter 1, webgpu:nvidia the one with nvidia in its name\n'
    : '';
  const taken = engines.find(({ engine }) => engine === auto.engine)!.available ? auto.engine : 'none';
  return `${lines.join('\n')}\n\n${how}auto takes ${taken}: ${auto.reason}\n`;
}

function adapterLines(
  { name, backend, driver, software, features, limits }: AdapterReport,
  number: number,
): string[] {
  const indent = ' '.repeat(13);
  const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20).toLocaleString('en-GB')} MiB`;
  return [
    `           ${number}: ${name}, ${software ? 'software: computes on the processor, cpu is faster' : 'GPU'}`,
    `${indent}${backend}${driver ? `, ${driver}` : ''}`,
    `${indent}largest buffer ${mebibytes(limits.maxBufferSize)}, bound at once ${mebibytes(limits.maxStorageBufferBindingSize)}, ` +
      `${limits.maxComputeInvocationsPerWorkgroup} invocations per workgroup, ` +
      `${limits.maxComputeWorkgroupStorageSize / 1024} KiB shared`,
    `${indent}${features.filter((feature) => /f16|subgroup|timestamp/.test(feature)).join(', ') || 'no extra features'}`,
  ];
}
