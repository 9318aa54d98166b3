/** Networks before they are trained: by number, whatever was asked for before. */
import { expect, test } from 'vitest';
import { FirstNetworks, heldOutNetworks } from '../src/eval/first-networks.js';
import { openDevice } from '../src/index.js';
import { createNetwork } from '../src/networks/index.js';

const network = createNetwork({ name: 'mlp', width: 3, layers: 1, inputShape: [1, 2, 2], classes: 2 });

test('a network is the same of its draw, whatever was drawn before it', async () => {
  await using device = await openDevice('reference');
  const networks = new FirstNetworks(device, { network, seed: 4 });
  const drawn = async (member: number, draw: number) =>
    (await heldOutNetworks(device, network, member + 1, 4, draw)).slice(member * network.count);
  // Network 12 is the third of the draw after the first one.
  for (const [number, firstDraw] of [
    [0, 0],
    [0, 1],
    [12, 0],
    [12, 3],
    [0, 1],
  ])
    expect(await networks.parameters([number], firstDraw)).toEqual(
      await drawn(number % 10, firstDraw + Math.floor(number / 10)),
    );
});
