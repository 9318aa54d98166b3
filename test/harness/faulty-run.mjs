/**
 * A tiny run in a folder whose file system fails at one point after the other (fault-shim.c), or ends the process there; then it goes on
 * without faults. No run may be lost, and what is told must be the failure itself.
 *
 *     LD_PRELOAD=… FAULT_FOLDER=DIR node test/harness/faulty-run.mjs DIR walk ERRNO LASTING EVERY
 *     … DIR kill N        begins the run and is killed at point N
 *     … DIR resume        goes on with it
 *
 * Prints a line of JSON.
 */
import { existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

const { distillToFolder, openDevice, resumeFolder } = await import('../../dist/index.js');
const { loadDataset } = await import('../../dist/data/load.js');

const [folder, work, ...rest] = process.argv.slice(2);
const run = join(folder, 'run');
const data = await loadDataset(join(folder, '../images.csv'), { imageSize: [4, 4] });
const options = {
  ...{ network: 'mlp:width=3', iterations: 3, batch: 4, validateEvery: 1, epochs: 1, seed: 3, networks: 1 },
};
const device = await openDevice('reference');

/** What opening a path of the shim says, as errno. */
function shim(path) {
  try {
    openSync(path);
  } catch (error) {
    return -error.errno;
  }
}
const arm = (point, errno, lasting) => shim(`/fault/${point}/${errno}/${Number(lasting)}`);

const artefact = () => readFileSync(join(run, 'distilled.safetensors')).toString('base64');

/** Begins the run; what was told of each checkpoint that was reported as written. */
async function begin() {
  let looks = 0;
  try {
    await distillToFolder(device, data, run, options, {
      onProgress: ({ iteration }) => {
        looks = iteration;
      },
    });
    return { looks };
  } catch (error) {
    return { looks, code: error.code, message: error.message };
  }
}

/** Goes on, or begins where nothing was saved; the step at which it did. */
async function goOn() {
  const saved = ['checkpoint', 'checkpoint.older'].some((name) =>
    existsSync(join(run, `${name}.safetensors`)),
  );
  if (!saved) {
    await distillToFolder(device, data, run, options, { force: existsSync(run) });
    return 0;
  }
  let from = -1;
  await resumeFolder(device, data, run, {
    onBegin: ({ iteration }) => {
      from = iteration;
    },
  });
  return from;
}

async function walk(name, lasting, every) {
  const errno = constants.errno[name];
  rmSync(run, { recursive: true, force: true });
  arm(-1, 0, false);
  await begin();
  const points = shim('/fault/count');
  const whole = artefact();
  const wrong = [];
  let walked = 0;
  let told = 0;
  for (let point = 1; point <= points; point += every) {
    rmSync(run, { recursive: true, force: true });
    walked++;
    arm(point, errno, lasting);
    const { looks, code, message } = await begin();
    arm(-1, 0, false);
    if (code !== undefined) told++;
    const real = code === undefined || (code === 'ERR_FILE_WRITE' && message.includes(name));
    if (!real) wrong.push(`${name} at call ${point} was told as ${code}: ${message}`);
    try {
      const from = await goOn();
      // The look under way when it failed may be done again, no other.
      if (from >= 0 && from < looks - 1)
        wrong.push(`${name} at call ${point}: from step ${from}, had been at ${looks}`);
      if (artefact() !== whole) wrong.push(`${name} at call ${point}: the result differs`);
    } catch (error) {
      wrong.push(`${name} at call ${point}: lost, ${error.message}`);
    }
  }
  return { points, walked, told, wrong };
}

if (work === 'walk') {
  const [name, lasting, every] = rest;
  console.log(JSON.stringify(await walk(name, lasting === '1', Number(every))));
} else if (work === 'kill') {
  arm(Number(rest[0]), 0, false);
  await begin();
  console.log(JSON.stringify({ artefact: artefact() }));
} else {
  const from = await goOn();
  console.log(JSON.stringify({ from, artefact: artefact() }));
}
await device.dispose();
