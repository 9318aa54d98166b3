// Makes prebuilds/<platform>-<arch>/limbeck.<libc>.node for the npm package.
//   node scripts/prebuild.mjs [--arch arm64] [--libc musl] [--strip-bin aarch64-linux-gnu-strip]
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { arch: { type: 'string' }, libc: { type: 'string' }, 'strip-bin': { type: 'string' } },
});
const prebuildify = createRequire(import.meta.url)('prebuildify');
const shim = fileURLToPath(new URL('./node-gyp-to-cmake-js.cjs', import.meta.url));

prebuildify(
  {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    napi: true,
    strip: true,
    // Without the tag, Alpine would load the glibc file.
    tagLibc: process.platform === 'linux',
    // Node-API does not depend on it; naming it keeps prebuildify from looking up others.
    targets: [process.versions.node],
    nodeGyp: `"${process.execPath}" "${shim}"`,
    shell: true,
    ...(values.arch && { arch: values.arch }),
    ...(values.libc && { libc: values.libc }),
    ...(values['strip-bin'] && { stripBin: values['strip-bin'] }),
  },
  (error) => {
    if (!error) return;
    console.error(error);
    process.exit(1);
  },
);
