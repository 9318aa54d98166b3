/**
 * The tests' own way to hold an engine to the reference (`test/harness`), for a plain Node: compiled into
 * `build/harness`, where its imports of `src` are those of `dist`. Where the tests are not, it was compiled before.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const modules = ['cases', 'close', 'corners', 'joined', 'products', 'small-run'];
const root = new URL('../../', import.meta.url);

export async function compileHarness() {
  const { default: ts } = await import('typescript');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  mkdirSync(new URL('build/harness/', root), { recursive: true });
  for (const name of modules) {
    const source = readFileSync(new URL(`test/harness/${name}.ts`, root), 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions });
    const text = outputText.replaceAll("'../../src/", "'../../dist/");
    writeFileSync(new URL(`build/harness/${name}.js`, root), text);
  }
}

/** All of its modules' exports together. */
export async function loadHarness() {
  if (existsSync(new URL('test/harness/', root))) await compileHarness();
  const loaded = await Promise.all(modules.map((name) => import(new URL(`build/harness/${name}.js`, root))));
  return Object.assign({}, ...loaded);
}
