/**
 * `npm run test:sanitize`: builds the native engine once with the sanitizers of addresses and undefined behaviour and once with that of
 * threads, into `build/sanitize/`, and runs the tests of its kernels and sequences of misuse under them. `-- address` or
 * `-- thread` takes one of them, `-- address 10000` so many sequences. Prints what they find; the status is 1 where that is anything.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readArguments, refuse } from '../bench/suite/arguments.mjs';
import { main, root } from './setup/run.mjs';
import { buildTypescript } from './setup.mjs';

const kinds = {
  address: { flags: 'address,undefined', libraries: ['libasan.so', 'libubsan.so'], mode: [] },
  // A program that writes a tensor while it is in use has a race, and nothing worse: here it waits.
  thread: { flags: 'thread', libraries: ['libtsan.so'], mode: ['alone'] },
};
const findings = /ERROR: AddressSanitizer.*|WARNING: ThreadSanitizer.*|.*runtime error: .*|.*SUMMARY: .*/g;
const compiler = process.env.CXX ?? 'c++';

/** A shared library of the compiler; undefined where it has none. */
function libraryOf(name) {
  const path = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
  return path !== name && existsSync(path) ? path : undefined;
}

/** Runs a program, passes on what it says and gives back its status and what a sanitizer found. */
function run(command, args, environment = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env: { ...process.env, ...environment } });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (piece) => {
        text += piece;
        process.stdout.write(piece);
      });
    child.on('close', (status, signal) =>
      resolve({ status: status ?? signal, found: text.match(findings) ?? [] }),
    );
  });
}

/** Builds the engine for the best instruction set of this processor, and says where it is: as node-gyp-build looks for it. */
async function build(kind, { flags }) {
  const folder = join(root, 'build/sanitize', kind);
  const [isa] = (await import('../dist/engine/cpu/device.js')).cpuInfo().isas;
  const output = join(folder, 'build/Release');
  const configure = [
    '-S',
    root,
    '-B',
    join(folder, 'build'),
    `-DLIMBECK_SANITIZE=${flags}`,
    `-DLIMBECK_ISAS=${isa}`,
  ];
  for (const args of [
    [...configure, `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${output}`],
    ['--build', join(folder, 'build'), '-j', '2'],
  ]) {
    const { status } = await run('cmake', args);
    if (status !== 0) throw new Error(`cmake ${args.join(' ')} ended with ${status}`);
  }
  return { folder, addon: join(output, 'limbeck.node') };
}

/** What runs under a sanitizer, by name. */
const work = (addon, mode, sequences) => ({
  'misuse sequences': ['--expose-gc', 'test/harness/misuse.mjs', addon, '11', String(sequences), ...mode],
  'native tests': [
    ...['node_modules/vitest/vitest.mjs', 'run', 'test/engine.cpu.test.ts', 'test/engine.cpu.border.test.ts'],
    ...['-t', 'agrees with the reference|is refused|one thing at a time|arrays|winners|chunks'],
  ],
});

await main(async () => {
  const usage = 'npm run test:sanitize -- [address | thread] [SEQUENCES]';
  const [chosen, sequences = 1000] = readArguments(usage, {}, { most: 2 }).positionals;
  if (chosen && !kinds[chosen])
    refuse(`there is no sanitizer ${chosen}, expected one of ${Object.keys(kinds).join(', ')}`);
  await buildTypescript();
  const wrong = [];
  for (const [kind, { flags, libraries, mode }] of Object.entries(kinds)) {
    if (chosen && chosen !== kind) continue;
    // The C++ library, too: a sanitizer looks for its exceptions when the process starts, and Node has its own inside.
    const preload = [...libraries, 'libstdc++.so.6'].map(libraryOf);
    if (preload.includes(undefined))
      throw new Error(`${compiler} has no ${libraries.join(' or ')}: install its sanitizers`);
    const { folder, addon } = await build(kind, { flags });
    const environment = {
      LD_PRELOAD: preload.join(':'),
      LIMBECK_PREBUILD: folder,
      // Node itself leaves memory to the end of the process; what does not fit is for the engine to report.
      ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1',
      UBSAN_OPTIONS: 'print_stacktrace=1',
      TSAN_OPTIONS: 'report_signal_unsafe=0',
    };
    for (const [name, args] of Object.entries(work(addon, mode, sequences))) {
      console.log(`${kind}: ${name}`);
      const { status, found } = await run(process.execPath, args, environment);
      if (found.length) wrong.push(`${kind}, ${name}: ${found.length} findings`, ...new Set(found));
      if (status !== 0) wrong.push(`${kind}, ${name}: ended with ${status}`);
    }
  }
  console.log(wrong.length ? wrong.join('\n') : 'The sanitizers found nothing.');
  return wrong.length ? 1 : 0;
});
