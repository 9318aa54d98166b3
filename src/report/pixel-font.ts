/** Letters of 5 rows, as wide as they are: enough for class names and numbers in a picture without a font file. */
const drawn = `
A .#. #.# ### #.# #.#
B ##. #.# ##. #.# ##.
C .## #.. #.. #.. .##
D ##. #.# #.# #.# ##.
E ### #.. ##. #.. ###
F ### #.. ##. #.. #..
G .## #.. #.# #.# .##
H #.# #.# ### #.# #.#
I # # # # #
J ..# ..# ..# #.# .#.
K #.# #.# ##. #.# #.#
L #.. #.. #.. #.. ###
M #...# ##.## #.#.# #...# #...#
N #..# ##.# #.## #..# #..#
O .#. #.# #.# #.# .#.
P ##. #.# ##. #.. #..
Q .#. #.# #.# .#. ..#
R ##. #.# ##. #.# #.#
S .## #.. .#. ..# ##.
T ### .#. .#. .#. .#.
U #.# #.# #.# #.# ###
V #.# #.# #.# #.# .#.
W #...# #...# #.#.# ##.## #...#
X #.# #.# .#. #.# #.#
Y #.# #.# .#. .#. .#.
Z ### ..# .#. #.. ###
0 ### #.# #.# #.# ###
1 .# ## .# .# .#
2 ### ..# ### #.. ###
3 ### ..# .## ..# ###
4 #.# #.# ### ..# ..#
5 ### #.. ### ..# ###
6 ### #.. ### #.# ###
7 ### ..# ..# .#. .#.
8 ### #.# ### #.# ###
9 ### #.# ### ..# ###
- ... ... ### ... ...
_ ... ... ... ... ###
. . . . . #
/ ..# ..# .#. #.. #..
? ### ..# .#. ... .#.
`;

const glyphs = new Map(
  drawn
    .trim()
    .split('\n')
    .map((line) => [line[0], line.slice(2).split(' ')] as const),
);

export const glyphHeight = 5;

/** Columns of a text, left to right; each says which of its five rows have ink. Unknown letters are `?`. */
export function textColumns(text: string): boolean[][] {
  const columns: boolean[][] = [];
  for (const letter of text.toUpperCase()) {
    if (columns.length) columns.push(new Array<boolean>(glyphHeight).fill(false));
    if (letter === ' ') {
      columns.push(new Array<boolean>(glyphHeight).fill(false));
      continue;
    }
    const rows = glyphs.get(letter) ?? glyphs.get('?')!;
    for (let x = 0; x < rows[0].length; x++) columns.push(rows.map((row) => row[x] === '#'));
  }
  return columns;
}
