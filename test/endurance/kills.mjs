/**
 * Runs of the command line that are killed (`kill -9`) at random moments, one time after the other until they are finished, and then
 * compared with one that never was. What is done is noted in the folder, so that a job that is cut off goes on.
 * Arguments: kills of each method (20), the device (cpu), and the methods (all).
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export const about =
  'runs that are killed at random moments, and gone on with: kills [KILLS] [DEVICE] [METHOD …]';

const program = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const data = '--dataset digits --digits-size 100';
const network = '--network convnet:width=4:depth=2';
const pretrained = '--network convnet:width=4:depth=2:norm=batch';
const experts = `${network} --experts experts --expert-epochs 1 --max-start 1 --inner-steps 2 --inner-batch 8 --protocol mtt-no-zca`;
const teacher = `${pretrained} --teacher teacher --batch 8`;

/** What makes each method small. */
const methods = {
  unrolled: `${network} --epochs 2 --batch 32`,
  dm: `${network} --batch 16`,
  datadam: `${network} --batch 16`,
  ncfm: `${network} --batch 16 --frequencies 256`,
  dc: `${network} --batch 4 --outer-loop 2 --inner-loop 1`,
  dsa: `${network} --batch 4 --outer-loop 2 --inner-loop 1`,
  frepo: `${network} --batch 16 --ipc 2 --pool 2 --online-steps 2`,
  rcig: `${network} --batch 16 --ipc 2 --pool 2 --online-steps 4 --pool-steps 2 --solver-steps 3`,
  kip: '--network mlp:width=8 --batch 16 --labels soft',
  rat: `${network} --window 2 --total 5 --pool 2 --batch 16 --ipc 1 --inner-batch 8`,
  at: `${network} --window 2 --total 5 --batch 16 --ipc 1 --inner-batch 8`,
  mtt: experts,
  mct: experts,
  datm: `${experts} --min-start 0`,
  tesla: experts,
  rded: `${teacher} --crops 2`,
  sre2l: teacher,
};

/** What methods start from, by the folder that their options name. */
const needed = {
  experts: `experts ${data} ${network} --count 1 --epochs 3 --batch 32 --device cpu --out experts`,
  teacher: `train ${data} ${pretrained} --epochs 1 --device cpu --out teacher`,
};

export async function run([kills = '20', device = 'cpu', ...chosen], folder) {
  const { methods: all } = await import('../../dist/methods/index.js');
  const untried = Object.keys(all).filter((name) => !(name in methods));
  if (untried.length) throw new Error(`test/endurance/kills.mjs needs a row for ${untried}`);
  const at = (...names) => join(folder, ...names);
  /** Starts the program and kills it after so many milliseconds, or where its result is written: it need not be tested. */
  const killed = async (args, name, milliseconds) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      told += text;
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const begun = performance.now();
    const finished = () => existsSync(at(name, 'run.json'));
    while (!finished() && child.exitCode === null && performance.now() - begun < milliseconds) await wait(3);
    child.kill('SIGKILL');
    const status = await ended;
    if (status !== null && status !== 0)
      throw new Error(`limbeck ${args.join(' ')} ended with ${status}: ${told}`);
    return { finished: finished(), milliseconds: performance.now() - begun };
  };
  const artefact = (name) => readFileSync(at(name, 'distilled.safetensors'));
  const noted = at('noted.json');
  const done = existsSync(noted) ? JSON.parse(readFileSync(noted, 'utf8')) : {};
  const wrong = [];
  const counts = { kills: 0, runs: 0 };
  for (const method of chosen.length ? chosen : Object.keys(methods)) {
    for (const [name, command] of Object.entries(needed))
      if (methods[method].includes(` ${name} `) && !existsSync(at(name)))
        await killed(command.split(' '), name, Number.POSITIVE_INFINITY);
    const name = `${device.replace(':', '-')}-${method}`;
    const options = `${data} --method ${method} ${methods[method]} --iterations 12 --validate-every 2`;
    const args = ['distill', ...options.split(' '), '--device', device];
    const note = (done[name] ??= { kills: 0, runs: 0 });
    const whole = `${name}-whole`;
    rmSync(at(whole), { recursive: true, force: true });
    const { milliseconds } = await killed([...args, '--out', whole], whole, Number.POSITIVE_INFINITY);
    while (note.kills < Number(kills) && !wrong.length) {
      rmSync(at(name), { recursive: true, force: true });
      for (let finished = false; !finished; ) {
        const saved = ['checkpoint', 'checkpoint.older'].some((file) =>
          existsSync(at(name, `${file}.safetensors`)),
        );
        const begin = saved ? ['resume', name] : [...args, '--force', '--out', name];
        // The first fifth is Node that starts; a run that has been killed often enough ends by itself.
        const enough = note.kills >= Number(kills);
        const after = enough ? Number.POSITIVE_INFINITY : milliseconds * (0.2 + 0.8 * Math.random());
        ({ finished } = await killed(begin, name, after));
        if (!finished) note.kills++;
      }
      note.runs++;
      if (!artefact(name).equals(artefact(whole)))
        wrong.push(`${name}: the result of run ${note.runs} differs`);
      writeFileSync(noted, JSON.stringify(done));
    }
    counts.kills += note.kills;
    counts.runs += note.runs;
  }
  return { ...counts, methods: done, wrong };
}
