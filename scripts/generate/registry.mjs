import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Basenames of the modules of a folder in alphabetical order, without generated files, indexes and `frame`. */
export function moduleFiles(folder, frame) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.gen.ts') && !name.endsWith('.d.ts'))
    .map((name) => name.slice(0, -'.ts'.length))
    .filter((name) => name !== 'index' && !frame.includes(name))
    .sort();
}

/** `soft-max` is `softMax`: the name a module has in code. */
export function camelCase(name) {
  return name.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}

/** Every module of a folder as a namespace. */
export function registry(names) {
  return `${names.map((name) => `export * as ${camelCase(name)} from './${name}.js';`).join('\n')}\n`;
}

/** Every op as a namespace, `ops` to iterate over, and `kernels` by full name (`conv2d.forward`). */
export function kernelRegistry(folder, names) {
  const imports = names.map((name) => `import * as ${camelCase(name)} from './${name}.js';`);
  const list = names.map(camelCase).join(', ');
  const kernels = names.flatMap((name) =>
    [...readFileSync(join(folder, `${name}.ts`), 'utf8').matchAll(/^export const (\w+Kernel)\b/gm)].map(
      ([, constant]) => `${camelCase(name)}.${constant}`,
    ),
  );
  return `import type { Kernel } from '../kernel.js';
${imports.join('\n')}

export { ${list} };

/** Every op by name; each has \`cases\`. */
export const ops = { ${list} };

/** Every kernel by its full name. */
export const kernels: Readonly<Record<string, Kernel>> = Object.fromEntries(
  [
${kernels.map((kernel) => `    ${kernel},`).join('\n')}
  ].map((kernel) => [kernel.name, kernel]),
);
`;
}
