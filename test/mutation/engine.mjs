const strips = ['test/strips.test.ts'];
const blocks = ['test/blocks.test.ts'];

/** The engines, in TypeScript: plans, passes, and what kernels are told. */
export const engine = [
  {
    id: 'dilation-left-out',
    file: 'src/engine/cpu/three-by-three.ts',
    find: ' && s.dilation === 1',
    replace: '',
    what: "Winograd's algorithm takes dilated convolutions for plain ones",
    tests: ['test/winograd.test.ts'],
  },
  {
    id: 'overtakes-what-it-reads',
    file: 'src/engine/cpu/groups.ts',
    find: 'waiting.every(access, inAnyOrder)',
    replace: 'waiting.every(access, step ? partsAgree : inAnyOrder)',
    what: 'a step joins a group before the step whose result it reads',
    tests: strips,
  },
  {
    id: 'one-member-apart-from-all',
    file: 'src/engine/cpu/accesses.ts',
    find: 'a.offset < reach(b) && b.offset < reach(a)',
    replace: 'reach(a) > 0 && a.offset < end(b) && b.offset < end(a)',
    what: 'one member is taken to lie apart from all of them together',
    tests: strips,
  },
  {
    id: 'blocks-with-old-beta',
    file: 'src/engine/passes/normpool.ts',
    find: 'touching.unchanged(beta.slot, norm, backward) &&',
    replace: 'touching.unchanged(beta.slot, backward, norm) &&',
    what: 'a block that goes back finds its mask by a beta that has changed since',
    tests: blocks,
  },
  {
    id: 'recomputed-for-the-block-before',
    file: 'src/engine/cpu/groups.ts',
    find: '      putOff.length === 0 ||\n',
    replace: '      putOff.length >= 0 ||\n',
    what: 'a map that is recomputed joins an earlier group and has to be kept for its own',
    tests: blocks,
  },
  {
    id: 'cutout-by-height',
    file: 'src/engine/ops/augmentdraw.ts',
    find: 'cutW: pixels(W, cutout)',
    replace: 'cutW: pixels(H, cutout)',
    what: 'cutouts are as wide as they are high, whatever the image',
    tests: ['test/engine.augment.test.ts'],
  },
  {
    id: 'adding-and-writing',
    file: 'src/engine/webgpu/passes/biased.ts',
    find: 'before.kernel.name !== bias.kernel.name || before.accumulate !== bias.accumulate',
    replace: 'before.kernel.name !== bias.kernel.name',
    what: 'a gradient that is added joins one that is written',
    tests: ['test/joined.test.ts'],
  },
];
