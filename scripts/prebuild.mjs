// Makes prebuilds/<platform>-<arch>/limbeck[.<libc>].node for the npm package.
//   node scripts/prebuild.mjs [--arch arm64] [--libc musl]     with the compiler of this machine
//   node scripts/prebuild.mjs --root FOLDER [--arch arm64]     portable: in the tree of scripts/setup/portable-root.mjs
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../bench/suite/arguments.mjs';
import { copySources } from './prebuild/sources.mjs';

const { flags } = readArguments('node scripts/prebuild.mjs [options]', {
  arch: { value: 'NAME', default: process.arch, help: 'the processor: x64, arm64' },
  libc: { value: 'NAME', help: 'glibc, musl; that of this machine unless given' },
  root: { value: 'DIR', help: 'the tree of another system in which to build' },
});
const { arch, libc, root } = flags;
const prebuildify = createRequire(import.meta.url)('prebuildify');
const checkout = fileURLToPath(new URL('..', import.meta.url));
const builder = root === undefined ? './node-gyp-to-cmake-js.cjs' : './prebuild/node-gyp-to-root.cjs';

// A file of another name, from an earlier version, would be loaded as well as this one.
rmSync(join(checkout, 'prebuilds', `${process.platform}-${arch}`), { recursive: true, force: true });
prebuildify(
  {
    cwd: root === undefined ? checkout : copySources(checkout, root),
    out: checkout,
    arch,
    napi: true,
    // In the tree the linker has done it, for every processor.
    strip: root === undefined,
    // Without the tag, Alpine would load the glibc file.
    tagLibc: process.platform === 'linux',
    // Node-API does not depend on it; naming it keeps prebuildify from looking up others.
    targets: [process.versions.node],
    nodeGyp: `"${process.execPath}" "${fileURLToPath(new URL(builder, import.meta.url))}"`,
    shell: true,
    ...(libc && { libc }),
  },
  (error) => {
    if (!error) return;
    console.error(error);
    process.exit(1);
  },
);
