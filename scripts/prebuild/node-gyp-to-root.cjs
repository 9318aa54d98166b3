// prebuildify runs `node-gyp rebuild --arch=… …` in <root>/limbeck and takes the first *.node file of build/Release. This
// stands in for node-gyp and builds with the compilers of that root.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.split('=')[1];
const compilers = {
  x64: ['-DCMAKE_C_COMPILER=gcc-10', '-DCMAKE_CXX_COMPILER=g++-10'],
  arm64: [
    '-DCMAKE_SYSTEM_NAME=Linux',
    '-DCMAKE_SYSTEM_PROCESSOR=aarch64',
    '-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc-10',
    '-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++-10',
  ],
};
if (!compilers[arch]) {
  console.error(`arch is ${arch}, expected ${Object.keys(compilers).join(' or ')}`);
  process.exit(2);
}

const folder = '/limbeck';
const build = `${folder}/build/${arch}`;
const configure = [
  ...['-G', 'Ninja', '-S', folder, '-B', build, '-DCMAKE_BUILD_TYPE=Release', ...compilers[arch]],
  '-DCMAKE_MODULE_LINKER_FLAGS=-s',
  `-DCMAKE_JS_INC=${folder}/headers/node-api-headers;${folder}/headers/node-addon-api`,
  // prebuildify takes the file away; what is not there is linked again.
  `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${folder}/build/Release`,
];
for (const args of [configure, ['--build', build]]) {
  const command = [path.dirname(process.cwd()), '/usr/bin/cmake', ...args];
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };
  const { status, error } = spawnSync('/usr/sbin/chroot', command, { stdio: 'inherit', env });
  if (error) console.error(error.message);
  if (status !== 0) process.exit(status ?? 1);
}
