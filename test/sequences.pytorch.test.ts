/** Networks for sequences, held to the same in PyTorch: order and names of parameters, and logits. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createNetwork, type NetworkOptions, openDevice, predict } from '../src/index.js';
import { normals } from './harness/arrays.js';
import { madeFolders } from './harness/folders.js';

const made = madeFolders('pytorch');
const python = ['python3', '/usr/bin/python3'].find((command) => {
  try {
    execFileSync(command, ['-c', 'import torch, numpy'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

const [T, I, K, N] = [7, 5, 3, 4];
const program = `
import json, sys
import numpy as np, torch
from torch import nn
from torch.nn.utils import vector_to_parameters

T, I, K = ${T}, ${I}, ${K}

class Recurrent(nn.Module):
    def __init__(self, o):
        super().__init__()
        make = nn.LSTM if o["name"] == "lstm" else nn.RNN
        both = o["bidirectional"]
        self.rnn = make(I, o["hidden"], o["layers"], batch_first=True, bidirectional=both)
        self.fc = nn.Linear(o["hidden"] * (2 if both else 1), K)
    def forward(self, x):
        _, h = self.rnn(x[:, 0])
        h = h[0] if isinstance(self.rnn, nn.LSTM) else h
        return self.fc(torch.cat([h[-2], h[-1]], 1) if self.rnn.bidirectional else h[-1])

class Convolutional(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(1, o["filters"], (k, I)) for k in (3, 4, 5))
        self.fc = nn.Linear(3 * o["filters"], K)
    def forward(self, x):
        return self.fc(torch.cat([torch.relu(c(x)).squeeze(3).max(2)[0] for c in self.convs], 1))

x = torch.from_numpy(np.fromfile("x.bin", "<f4")).view(-1, 1, T, I)
names = []
for index, o in enumerate(json.loads(sys.argv[1])):
    network = (Convolutional if o["name"] == "textconvnet" else Recurrent)(o)
    theta = torch.from_numpy(np.fromfile(f"theta{index}.bin", "<f4"))
    assert sum(p.numel() for p in network.parameters()) == len(theta)
    vector_to_parameters(theta, network.parameters())
    network(x).detach().numpy().astype("<f4").tofile(f"logits{index}.bin")
    names.append([[name, list(p.shape)] for name, p in network.named_parameters()])
print(json.dumps(names))
`;

const networks = [
  { name: 'textconvnet', filters: 6 },
  ...['rnn', 'lstm'].flatMap((name) =>
    [1, 2].flatMap((layers) =>
      [false, true].map((bidirectional) => ({ name, hidden: 6, layers, bidirectional })),
    ),
  ),
];

test('networks for sequences have the parameters and logits of PyTorch', {
  timeout: 120_000,
}, async (context) => {
  if (!python) return context.skip('no python3 here imports torch and numpy');
  const all = networks.map((own, index) => {
    const options = { ...own, inputShape: [1, T, I], classes: K } as NetworkOptions;
    const theta = normals(createNetwork(options).count, 3 + index).map((value) => value / 2);
    return { options, theta };
  });
  const x = normals(N * T * I, 2);
  const folder = await made.write({
    ...Object.fromEntries(all.map(({ theta }, i) => [`theta${i}.bin`, new Uint8Array(theta.buffer)])),
    'x.bin': new Uint8Array(x.buffer),
    'network.py': program,
  });
  const command = ['network.py', JSON.stringify(networks)];
  const said = execFileSync(python, command, { cwd: folder, encoding: 'utf8' });
  const theirs = JSON.parse(said) as [string, number[]][][];
  await using device = await openDevice('cpu');
  for (const [index, { options, theta }] of all.entries()) {
    const { parameters } = createNetwork(options);
    expect(parameters.map(({ shape }) => shape)).toEqual(theirs[index].map(([, shape]) => shape));
    const last = (name: string) => name.split('.').at(-1);
    const names = parameters.map(({ name }) => last(name));
    expect(names).toEqual(theirs[index].map(([name]) => last(name)));

    const bytes = readFileSync(join(folder, `logits${index}.bin`));
    const expected = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const { scores } = await predict(device, modelOf(options, theta), x);
    for (const [i, score] of scores.entries()) expect(Math.abs(score - expected[i])).toBeLessThan(1e-5);
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.1);
  }
});

/** A network that is asked about sequences as they are, for its logits. */
const modelOf = (network: NetworkOptions, parameters: Float32Array) => ({
  network,
  parameters,
  loss: 'squared-error' as const,
  classNames: Array.from({ length: K }, (_, k) => `class ${k}`),
  normalisation: { mean: [0], std: [1] },
  notes: { dataset: 'random', trainedOn: 'nothing', protocol: 'not at all' },
});
