// prebuildify runs `node-gyp rebuild --arch=… …` in <root>/limbeck and takes the first *.node file of build/Release. This
// stands in for node-gyp and builds with the compilers of that root.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.split('=')[1];
const targets = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
const target = targets[arch];
if (!target) {
  console.error(`arch is ${arch}, expected ${Object.keys(targets).join(' or ')}`);
  process.exit(2);
}
// The compiler of the tree with headers and libraries of the sysroot, C++'s included: those of the compiler ask for a newer glibc.
const sysroot = `/sysroots/${arch}`;
const headers = [`${sysroot}/usr/include/c++/10`, `${sysroot}/usr/include/${target}/c++/10`];
const libraries = [`usr/lib/gcc/${target}/10`, `usr/lib/${target}`, `lib/${target}`].map(
  (name) => `-L${sysroot}/${name}`,
);
const compiler = [
  ...(arch === 'x64' ? [] : ['-DCMAKE_SYSTEM_NAME=Linux', '-DCMAKE_SYSTEM_PROCESSOR=aarch64']),
  `-DCMAKE_C_COMPILER=${target}-gcc-12`,
  `-DCMAKE_CXX_COMPILER=${target}-g++-12`,
  `-DCMAKE_SYSROOT=${sysroot}`,
  `-DCMAKE_CXX_FLAGS=-nostdinc++ ${headers.map((path) => `-isystem ${path}`).join(' ')}`,
  `-DCMAKE_EXE_LINKER_FLAGS=${libraries.join(' ')}`,
  `-DCMAKE_MODULE_LINKER_FLAGS=-s ${libraries.join(' ')}`,
];

const folder = '/limbeck';
const build = `${folder}/build/${arch}`;
const configure = [
  ...['-G', 'Ninja', '-S', folder, '-B', build, '-DCMAKE_BUILD_TYPE=Release', ...compiler],
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
