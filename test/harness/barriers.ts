/** Accesses to workgroup memory that no barrier orders, by the text of a WGSL module. */

interface Access {
  readonly kind: 'read' | 'write';
  readonly name: string;
  /** A write to the element that has the lane's own number. */
  readonly own?: boolean;
  /** By lane 0 alone. */
  readonly first: boolean;
}
type Barrier = { readonly kind: 'barrier' };
/** What happens, in the order of the text; what is called and what goes round stand for what they hold. */
type Block = (Access | Barrier | { readonly loop: Block } | { readonly call: string })[];
/** An access with the calls and rounds of loops that it is in. */
type Event = Barrier | (Access & { readonly within: string });

interface Module {
  readonly variables: readonly string[];
  /** Bodies by name. */
  readonly functions: ReadonlyMap<string, string>;
  /** Names of the functions that are run. */
  readonly entries: readonly string[];
}

function parse(code: string): Module {
  const text = code.replace(/\/\/.*$/gm, (comment) => ' '.repeat(comment.length));
  const functions = [...text.matchAll(/^fn (\w+)\([\s\S]*?^}/gm)];
  return {
    variables: [...text.matchAll(/^var<workgroup> (\w+)/gm)].map(([, name]) => name),
    functions: new Map(functions.map(([body, name]) => [name, body.slice(body.indexOf('{'))])),
    entries: [...text.matchAll(/^@compute.*\nfn (\w+)/gm)].map(([, name]) => name),
  };
}

/** The events of one statement: what stands behind an `=` is read before what stands in front of it is written. */
function eventsOf(statement: string, first: boolean, { variables, functions }: Module): Block {
  const barrier = { kind: 'barrier' } as const;
  if (/\bworkgroupBarrier\(/.test(statement)) return [barrier];
  const loaded = /\bworkgroupUniformLoad\(&(\w+)/.exec(statement);
  if (loaded) return [barrier, { kind: 'read', name: loaded[1], first }, barrier];
  const found: Block = [];
  const assigned = /^\s*(\w+)(\[.*?\])?(?:\.\w+)?\s*([-+*/|&^]?)=(?!=)/.exec(statement);
  const target = assigned && variables.includes(assigned[1]) ? assigned[1] : undefined;
  const stores = /\bsubgroupMatrixStore\b/.test(statement);
  for (const [, name] of statement.matchAll(/\b(\w+)\b/g))
    if (variables.includes(name) && name !== target)
      found.push({ kind: stores ? 'write' : 'read', name, first });
  if (target && (assigned![3] || statement.split(target).length > 2))
    found.push({ kind: 'read', name: target, first });
  for (const [, name] of statement.matchAll(/\b(\w+)\(/g))
    if (functions.has(name)) found.push({ call: name });
  if (target) found.push({ kind: 'write', name: target, own: assigned![2] === '[lane]', first });
  return found;
}

function blockOf(body: string, module: Module): Block {
  const all: Block = [];
  const open = [{ block: all, first: false }];
  let at = 0;
  let depth = 0;
  for (let i = 0; i < body.length; i++) {
    const c = body[i];
    depth += Number(c === '(') - Number(c === ')');
    if (depth > 0 || !'{};'.includes(c)) continue;
    const statement = body.slice(at, i);
    at = i + 1;
    const outer = open[open.length - 1];
    if (c === '{' && /^\s*(for|loop|while)\b/.test(statement)) {
      const loop: Block = [];
      outer.block.push({ loop });
      open.push({ block: loop, first: outer.first });
    } else if (c === '{')
      open.push({ block: outer.block, first: outer.first || /^\s*if \(lane == 0u\)/.test(statement) });
    const { block, first } = open[open.length - 1];
    block.push(...eventsOf(statement, first, module));
    if (c === '}') open.pop();
  }
  return all;
}

/** Everything in order; a loop goes round twice, which shows what its end does to its beginning. */
function unrolled(name: string, module: Module, within = `${name} `): Event[] {
  let count = 0;
  const expand = (block: Block, place: string): Event[] =>
    block.flatMap((one): Event[] => {
      if ('loop' in one)
        return [1, 2].flatMap((round) => expand(one.loop, `${place}${count++} round ${round} `));
      if ('call' in one) return unrolled(one.call, module, `${place}${count++} ${one.call} `);
      return [one.kind === 'barrier' ? one : { ...one, within: place }];
    });
  return expand(blockOf(module.functions.get(name)!, module), within);
}

/**
 * A read behind a write, or a write behind a read, with no barrier between them, for every entry point of a module. Lane 0 may follow
 * itself, and a lane may write its own element behind what it has read in a loop of the same statement list: others' elements it
 * reads there are its own column.
 */
export function races(code: string): string[] {
  const module = parse(code);
  const found = new Set<string>();
  for (const name of module.entries) {
    let since: (Access & { within: string })[] = [];
    for (const event of unrolled(name, module)) {
      if (event.kind === 'barrier') {
        since = [];
        continue;
      }
      const unordered = since.find(
        (before) =>
          before.name === event.name &&
          before.kind !== event.kind &&
          !(before.first && event.first) &&
          !(event.own && before.within.startsWith(event.within)),
      );
      if (unordered) found.add(`${name}: a ${event.kind} of ${event.name} after a ${unordered.kind}`);
      since.push(event);
    }
  }
  return [...found];
}

/** The barriers that an entry point comes to: where they stand, and a name that they have in every copy of their function. */
export function barriersOf(code: string): { at: number; name: string }[] {
  const module = parse(code);
  const reached = new Set(module.entries);
  for (const name of reached)
    for (const [, called] of module.functions.get(name)!.matchAll(/\b(\w+)\(/g))
      if (module.functions.has(called)) reached.add(called);
  return [...code.matchAll(/^fn (\w+)\([\s\S]*?^}/gm)]
    .filter(([, name]) => reached.has(name))
    .flatMap(({ 0: body, index }) =>
      [...body.matchAll(/workgroupBarrier\(\);/g)].map((barrier, i) => ({
        at: index + barrier.index,
        name: `barrier ${i} of ${body}`,
      })),
    );
}
