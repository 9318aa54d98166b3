const strips = ['test/strips.test.ts'];

/** The engines, in TypeScript: plans, passes, and what kernels are told. */
export const engine = [
  {
    id: 'dilation-left-out',
    file: 'src/engine/cpu/passes/winograd.ts',
    find: '    s.dilation === 1 &&\n',
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
    id: 'cutout-by-height',
    file: 'src/engine/ops/augmentdraw.ts',
    find: 'cutW: pixels(W, cutout)',
    replace: 'cutW: pixels(H, cutout)',
    what: 'cutouts are as wide as they are high, whatever the image',
    tests: ['test/engine.augment.test.ts'],
  },
];
