import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sumKernel } from '../src/engine/webgpu/ops/pieces.js';
import { tiledKernels } from '../src/engine/webgpu/ops/tiled.js';
import { files, importsOf, root, text } from './harness/repository.js';

/** A folder imports only from itself and from those before it. */
const rooms = [
  'util',
  'engine',
  'layers',
  'networks',
  'train',
  'data',
  'parametrisations',
  'methods',
  'eval',
  'runs',
  'analysis',
  'uses',
  'report',
  'cli',
];
const all = files();
const source = files('src').filter((file) => file.endsWith('.ts'));
const room = (file: string) => file.split('/').slice(1, -1)[0];
/** The TypeScript file that a relative import means. */
const target = (file: string, from: string) => posix.join(posix.dirname(file), from).replace(/\.js$/, '.ts');

const localImports = (file: string) =>
  importsOf(file).flatMap(({ from }) => (from.startsWith('.') ? [target(file, from)] : []));

/** Groups of files that all reach each other, sorted: the strongly connected components of more than one file. */
function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const reached = (from: string): Set<string> => {
    const seen = new Set<string>();
    const open = [from];
    for (let file = open.pop(); file; file = open.pop())
      for (const to of imports.get(file) ?? [])
        if (!seen.has(to)) {
          seen.add(to);
          open.push(to);
        }
    return seen;
  };
  const reach = new Map([...imports.keys()].map((file) => [file, reached(file)]));
  const circles = new Set<string>();
  for (const [file, to] of reach)
    if (to.has(file))
      circles.add(
        [...to]
          .filter((other) => reach.get(other)?.has(file))
          .sort()
          .join(' '),
      );
  return [...circles].sort().map((files) => files.split(' '));
}

describe('the folders of src', () => {
  it('are the ones the design names', () => {
    const folders = new Set(source.map(room).filter(Boolean));
    expect([...folders].filter((name) => !rooms.includes(name))).toEqual([]);
    const loose = source.filter((file) => !room(file)).map((file) => basename(file));
    expect(loose.filter((name) => name !== 'index.ts' && name !== 'browser.ts')).toEqual([]);
  });

  it('import only from themselves and from those to their left', () => {
    const wrong = source
      .filter((file) => room(file))
      .flatMap((file) =>
        localImports(file)
          .filter((to) => !room(to) || rooms.indexOf(room(to)) > rooms.indexOf(room(file)))
          .map((to) => `${file} imports ${to}`),
      );
    expect(wrong).toEqual([]);
  });

  it('hold no circle of imports, those of types included', () => {
    const imports = new Map(source.map((file) => [file, localImports(file)]));
    const circles = circlesOf(imports).map((files) => files.join(', '));
    expect(circles).toEqual([]);
  });

  it('name modules that exist, with nothing beyond the dependencies of the package', () => {
    const { dependencies, optionalDependencies } = JSON.parse(text('package.json'));
    const known = Object.keys({ ...dependencies, ...optionalDependencies });
    const wrong = source.flatMap((file) =>
      importsOf(file)
        .filter(({ from, typeOnly }) =>
          from.startsWith('.')
            ? !existsSync(join(root, target(file, from)))
            : !typeOnly && !from.startsWith('node:') && !known.includes(from.split('/')[0]),
        )
        .map(({ from }) => `${file} imports ${from}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the library', () => {
  it('neither prints nor ends the process: only the command line does', () => {
    const forbidden = /\bconsole\.|\bprocess\.(exit\b|exitCode\b|abort\b|stdout\b|stderr\b|on\()/;
    // What a child process runs is a text here.
    const code = (file: string) => text(file).replace(/`[^`]*`/g, '``');
    const wrong = source.filter((file) => room(file) !== 'cli' && forbidden.test(code(file)));
    expect(wrong).toEqual([]);
  });
});

describe('the browser entry', () => {
  it('reaches nothing of Node and nothing of the native engine', () => {
    const reached = new Map([['src/browser.ts', 'the entry']]);
    const wrong: string[] = [];
    for (const [file] of reached) {
      for (const { from, typeOnly } of existsSync(join(root, file)) ? importsOf(file) : []) {
        if (typeOnly) continue;
        const to = from.startsWith('.') ? target(file, from) : from;
        if (!from.startsWith('.') || to.startsWith('src/engine/cpu/'))
          wrong.push(`${file} (reached from ${reached.get(file)}) imports ${to}`);
        else if (!reached.has(to)) reached.set(to, file);
      }
    }
    const ofNode = /\b(process|Buffer|global|require|setImmediate|__dirname)\b(?=[.([])/;
    for (const [file] of reached)
      for (const line of existsSync(join(root, file)) ? text(file).split('\n') : [])
        if (ofNode.test(line) && !/^\s*(\/\/|\/?\*)/.test(line)) wrong.push(`${file} uses ${line.trim()}`);
    expect(reached.size).toBeGreaterThan(50);
    expect(wrong).toEqual([]);
  });
});

describe('ops', () => {
  const names = (folder: string, extension: string) =>
    files(folder)
      .filter((file) => file.endsWith(extension))
      .map((file) => basename(file, extension))
      .sort();

  it('have the same names in TypeScript, C++ and WGSL; some are of one engine alone', () => {
    const defined = names('src/engine/ops', '.ts');
    expect(defined.length).toBeGreaterThan(0);
    expect(names('native/ops', '.cc')).toEqual([...defined, ...names('src/engine/cpu/ops', '.ts')].sort());
    const webgpu = new Set([...Object.values(tiledKernels), sumKernel].map(({ name }) => name.split('.')[0]));
    const standIns = names('shaders/with', '.wgsl');
    expect(names('shaders', '.wgsl')).toEqual([...defined, ...webgpu, ...standIns].sort());
  });
});

describe('files', () => {
  it('are short: no source file above 400 lines', () => {
    const code = all.filter((file) => /\.(ts|[mc]?js|cc|h|wgsl)$/.test(file));
    const long = code.map((file) => `${file}: ${text(file).split('\n').length - 1}`);
    expect(long.filter((line) => Number(line.split(': ')[1]) > 400)).toEqual([]);
  });

  it('of tests run every test: nothing focused; skipped only what an operating system, a data folder or Python lacks', () => {
    const forbidden =
      /\b(it|test|describe|suite|bench)(\.\w+)*\.((only|skip|todo)\b|(skipIf|runIf)\((?!process\.platform\b))/;
    // At run time, only with the name of the folder to point at, or with what no Python here has.
    const mute = /\bcontext\.skip\((?!`[^`]*LIMBECK_DATA|['`]no python3 here imports )/;
    const wrong = files('test').filter((file) => forbidden.test(text(file)) || mute.test(text(file)));
    expect(wrong).toEqual([]);
  });

  it('of tests that run what was built build it first where it is stale', () => {
    const built = /\bdist\/|\bbench\//;
    const harness = files('test/harness').filter((file) => built.test(text(file)));
    const uses = (file: string) =>
      importsOf(file).some(({ from }) =>
        harness.includes(posix.join(posix.dirname(file), from).replace(/\.js$/, '.ts')),
      );
    const wrong = files('test')
      .filter((file) => /^test\/(half\/)?[^/]+\.test\.ts$/.test(file) && file !== 'test/structure.test.ts')
      .filter((file) => (built.test(text(file)) || uses(file)) && !/\bbuildWhereStale\b/.test(text(file)));
    expect(harness.length).toBeGreaterThan(2);
    expect(wrong).toEqual([]);
  });

  it('hold no path of the machine they were written on and no address of a package registry', () => {
    const home = homedir();
    const forbidden = [
      ['the folder of this checkout', root.split('/').length > 2 ? root : undefined],
      ['a home folder', home.length > 1 ? `${home}/` : undefined],
      ['a home folder', /\/(home|Users)\/(?!(someone|user|me|you)\/)[a-z]\w*\//],
      ['a home folder', /[A-Z]:\\+Users\\/],
      ['a package registry', /\bregistry\.(npmjs|yarnpkg|npmmirror)\b|\/artifactory\/|\bnpm\.pkg\.github\b/],
      ['a package mirror', /\b(deb\.debian|archive\.ubuntu|security\.ubuntu|ports\.ubuntu)\b/],
    ] as const;
    const wrong = all
      .map((file) => ({ file, content: text(file) }))
      .filter(({ file, content }) => file !== 'test/structure.test.ts' && !content.includes('\0'))
      .flatMap(({ file, content }) =>
        forbidden
          .filter(
            ([, what]) => what && (typeof what === 'string' ? content.includes(what) : what.test(content)),
          )
          .map(([name]) => `${file} holds ${name}`),
      );
    expect(wrong).toEqual([]);
  });
});

describe('the lock file', () => {
  it('knows every optional package, also those for other systems: npm ci refuses it otherwise', () => {
    const packages: Record<string, { version?: string; optionalDependencies?: Record<string, string> }> =
      JSON.parse(text('package-lock.json')).packages;
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter(
          (name) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`]?.version,
        )
        .map((name) => `${path}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('the faults of npm run test:mutation', () => {
  it('have their place in the sources, and tests that exist', async () => {
    const { faults } = (await import(join(root, 'test/mutation/faults.mjs'))) as {
      faults: readonly {
        id: string;
        file: string;
        find: string;
        replace: string;
        tests: readonly string[];
      }[];
    };
    const wrong = faults.flatMap(({ id, file, find, replace, tests }) => {
      const times = text(file).split(find).length - 1;
      const missing = tests.filter((name) => !existsSync(join(root, name)));
      return times === 1 && find !== replace && tests.length && !missing.length
        ? []
        : [`${id}: ${times} times in ${file} ${missing}`];
    });
    expect(wrong).toEqual([]);
    expect(new Set(faults.map(({ id }) => id)).size).toBe(faults.length);
  });
});
