/**
 * What a step has read, as one hash: equal to the hash noted after the last success means nothing to do. Contents
 * rather than times, because a checkout, a copy or a clock says nothing about what was built.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { root } from './run.mjs';

/** Every file below these paths of the repository, generated ones left out, in a fixed order. */
export function filesBelow(paths) {
  return paths.filter((path) => existsSync(join(root, path))).flatMap(expand);
}

function expand(path) {
  let entries;
  try {
    entries = readdirSync(join(root, path), { withFileTypes: true });
  } catch {
    return [path];
  }
  return entries
    .filter(({ name }) => name !== 'node_modules' && !name.endsWith('.gen.ts'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? expand(`${path}/${entry.name}`) : [`${path}/${entry.name}`]));
}

function fingerprint(paths) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of filesBelow(paths)) hash.update(`${file}\n`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/**
 * Runs `build` unless `outputs` exist and were made from what is in `inputs` now. Gives back its result. Of several processes one
 * builds, and the others wait for it.
 */
export async function unlessUpToDate(name, { inputs, outputs = [] }, build) {
  const noted = join(root, 'build/stamps', name);
  const now = fingerprint(inputs);
  const done = () =>
    outputs.every((path) => existsSync(join(root, path))) &&
    existsSync(noted) &&
    readFileSync(noted, 'utf8') === now;
  if (done()) return true;
  mkdirSync(dirname(noted), { recursive: true });
  const release = await lock(`${noted}.lock`);
  try {
    if (done()) return true;
    const result = await build();
    if (result === false) return false;
    writeFileSync(noted, now);
    return true;
  } finally {
    release();
  }
}

/** Waits until no living process holds the file, and holds it until what is returned is called. */
async function lock(path) {
  for (;;) {
    try {
      writeFileSync(path, `${process.pid}`, { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned(path)) rmSync(path, { force: true });
    else await wait(200);
  }
}

function isAbandoned(path) {
  try {
    const holder = Number(readFileSync(path, 'utf8'));
    // Not written yet, or by a process that there is: signal 0 only asks.
    if (holder) process.kill(holder, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
