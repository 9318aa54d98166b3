/**
 * Reads what the engine must know about a WGSL module: its overrides, and per entry point its operands, the
 * overrides it uses, its workgroup size and how many invocations or workgroups it needs. The conventions are
 * those of shaders/README.md; a file that does not follow them is an error here, not a wrong number later.
 */

const part = /^\/\/ with: (\w+)$/m;

/** A module as it is used: with the part of `shaders/with/` that it names behind it, so that its lines keep their numbers. */
function joined({ name, code }, parts) {
  const named = part.exec(code)?.[1];
  if (!named) return { name, code };
  const found = parts.find((other) => other.name === named);
  if (!found) throw new Error(`shaders/${name}.wgsl: there is no shaders/with/${named}.wgsl`);
  return { name, code: `${code}\n${found.code}` };
}

/** The source without comments, same length, so that positions stay true. */
function withoutComments(code) {
  return code.replace(/\/\/[^\n]*/g, (text) => ' '.repeat(text.length));
}

/** Functions by name: their attributes, and the identifiers their text mentions. */
function functionsOf(name, code) {
  const functions = new Map();
  for (const match of code.matchAll(/((?:@\w+(?:\([^)]*\))?\s*)*)\bfn (\w+)/g)) {
    const open = code.indexOf('{', match.index);
    let depth = 0;
    let end = open;
    do {
      if (code[end] === '{') depth++;
      if (code[end] === '}') depth--;
      if (++end > code.length) throw new Error(`shaders/${name}.wgsl: fn ${match[2]} does not end`);
    } while (depth > 0);
    functions.set(match[2], {
      at: match.index,
      attributes: match[1],
      mentions: new Set(code.slice(match.index, end).match(/\b[A-Za-z_]\w*\b/g)),
    });
  }
  return functions;
}

/** Everything a function mentions, through the functions it calls and the constants it uses. */
function reach(start, functions, constants) {
  const seen = new Set();
  const visit = (identifier) => {
    if (seen.has(identifier)) return;
    seen.add(identifier);
    // Entry points cannot be called: their name inside another function is a local variable.
    const called = functions.get(identifier);
    if (called?.attributes.includes('@compute') && identifier !== start) return;
    for (const next of called?.mentions ?? constants.get(identifier) ?? []) visit(next);
  };
  visit(start);
  return seen;
}

/** `P * ceil(M / 4)` as the text of an arrow function of the sizes. */
function expression(name, text, overrides) {
  if (!/^[\w\s+*/()-]+$/.test(text))
    throw new Error(`shaders/${name}.wgsl: cannot read the expression "${text}"`);
  const body = text.replace(/\b[A-Za-z]\w*\b/g, (word) => {
    if (word === 'ceil') return 'Math.ceil';
    if (!overrides.has(word))
      throw new Error(`shaders/${name}.wgsl: "${text}" mentions ${word}, which is no size`);
    return `s.${word}`;
  });
  return `(s) => ${body}`;
}

/** What one module declares; see the types in `shaderModule`. */
export function parseShader({ name, code }) {
  const text = withoutComments(code);
  const fail = (why) => {
    throw new Error(`shaders/${name}.wgsl: ${why}`);
  };
  const overrides = new Map();
  const constants = new Map();
  for (const [, override, type, value = ''] of text.matchAll(
    /\boverride (\w+)\s*:\s*(\w+)\s*(?:=([^;]*))?;/g,
  )) {
    // One that is computed from others has its value in the file.
    const of = (value.match(/\b[A-Za-z_]\w*\b/g) ?? []).filter(
      (word) => overrides.has(word) || constants.has(word),
    );
    if (of.length) constants.set(override, new Set(of));
    else overrides.set(override, type);
  }
  for (const [, constant, value] of text.matchAll(/\bconst (\w+)[^=;]*=([^;]*);/g))
    constants.set(constant, new Set(value.match(/\b[A-Za-z_]\w*\b/g) ?? []));
  const functions = functionsOf(name, text);

  const bindings = [];
  for (const [, binding, access, variable, type] of text.matchAll(
    /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*(\w+)\s*:\s*array<(\w+)>/g,
  )) {
    const [entry, operand] = variable.split(/_(.*)/s);
    if (![entry, `${entry}_`].some((name) => functions.get(name)?.attributes.includes('@compute')))
      fail(`${variable} must be named <entry point>_<operand>`);
    bindings.push({ entry, operand, variable, access, type, binding: Number(binding) });
  }

  const entries = [];
  for (const [functionName, { at, attributes }] of functions) {
    if (!attributes.includes('@compute')) continue;
    // A kernel with the name of a word of WGSL is written with an underscore behind it: `fn uniform_`.
    const entry = functionName.replace(/_$/, '');
    const size = /@workgroup_size\((\d+|LANES)\)/.exec(attributes);
    if (!size) fail(`${entry} needs @workgroup_size(<number>) or @workgroup_size(LANES)`);
    const geometry = /(?:\/\/ terms: ([^\n]+)\n)?\/\/ (invocations|workgroups): ([^\n]+)\n$/.exec(
      code.slice(0, at),
    );
    if (!geometry)
      fail(`directly above ${entry} there must be "// invocations: ..." or "// workgroups: ..."`);
    const [, terms, counts, count] = geometry;
    const mentioned = reach(functionName, functions, constants);
    if (mentioned.has('SIDE') !== (terms !== undefined) || (terms && counts !== 'workgroups'))
      fail(`${entry}: "// terms: ..." belongs to workgroups of SIDE * SIDE lanes, and they need it`);
    const own = bindings.filter((binding) => binding.entry === entry);
    own.forEach((binding, index) => {
      if (binding.binding !== index + 1)
        fail(`${binding.variable} has binding ${binding.binding}, expected ${index + 1}`);
      if (!mentioned.has(binding.variable)) fail(`${entry} does not use ${binding.variable}`);
    });
    for (const other of bindings)
      if (other.entry !== entry && mentioned.has(other.variable)) fail(`${entry} uses ${other.variable}`);
    entries.push({
      entry,
      functionName,
      workgroupSize: size[1] === 'LANES' ? undefined : Number(size[1]),
      terms: terms && expression(name, terms.trim(), overrides),
      bindings: own.map(({ operand, access, type }) => ({ operand, access, type })),
      overrides: [...overrides.keys()].filter((override) => mentioned.has(override)),
      counts,
      count: expression(name, count.trim(), overrides),
    });
  }
  return { overrides: Object.fromEntries(overrides), entries };
}

/** The text of `shaders.gen.ts`: the modules with their parts, and what stands in for functions of them on devices with more. */
export function shaderModule(shaders, parts) {
  const named = new Set(shaders.flatMap(({ code }) => part.exec(code)?.[1] ?? []));
  const standIns = parts.filter(({ name }) => !named.has(name));
  const modules = shaders.map((file) => {
    const shader = joined(file, parts);
    const { overrides, entries } = parseShader(shader);
    const entryTexts = entries.map(
      (e) => `      ${e.entry}: {
        functionName: '${e.functionName}',
        workgroupSize: ${e.workgroupSize},
        terms: ${e.terms},
        bindings: ${JSON.stringify(e.bindings)},
        overrides: ${JSON.stringify(e.overrides)},
        counts: '${e.counts}',
        count: ${e.count},
      },`,
    );
    return `  ${shader.name}: {
    overrides: ${JSON.stringify(overrides)},
    entries: {
${entryTexts.join('\n')}
    },
    code: ${JSON.stringify(shader.code)},
  },`;
  });
  return `
/** One entry point of a WGSL module: a kernel. */
export interface ShaderEntry {
  /** Its name in the source. */
  readonly functionName: string;
  /** Invocations in a workgroup; undefined where overrides decide it: LANES. */
  readonly workgroupSize: number | undefined;
  /** How many terms a workgroup adds up: what SIDE is chosen by. */
  readonly terms: ((s: Readonly<Record<string, number>>) => number) | undefined;
  /** Operands in order; the first one has binding 1, binding 0 are the views. */
  readonly bindings: readonly { operand: string; access: 'read' | 'read_write'; type: string }[];
  /** The overrides the entry point uses, by name. */
  readonly overrides: readonly string[];
  /** What \`count\` counts. */
  readonly counts: 'invocations' | 'workgroups';
  readonly count: (s: Readonly<Record<string, number>>) => number;
}

/** One file of \`shaders/\`, with the part that it names. */
export interface Shader {
  /** Type of every override of the module. */
  readonly overrides: Readonly<Record<string, string>>;
  readonly entries: Readonly<Record<string, ShaderEntry>>;
  readonly code: string;
}

export const shaders: Readonly<Record<string, Shader>> = {
${modules.join('\n')}
};

/** The files of \`shaders/with/\` that stand in for functions of modules. */
export const standIns = {
${standIns.map(({ name, code }) => `  ${name}: ${JSON.stringify(code)},`).join('\n')}
};
`;
}
