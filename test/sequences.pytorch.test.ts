/** Networks for sequences, held to the same in PyTorch: order and names of parameters, and logits. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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

o = json.loads(sys.argv[1])
kind, T, I, K = o["name"], ${T}, ${I}, ${K}

class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        make = nn.LSTM if kind == "lstm" else nn.RNN
        both = o["bidirectional"]
        self.rnn = make(I, o["hidden"], o["layers"], batch_first=True, bidirectional=both)
        self.fc = nn.Linear(o["hidden"] * (2 if both else 1), K)
    def forward(self, x):
        _, h = self.rnn(x[:, 0])
        h = h[0] if kind == "lstm" else h
        return self.fc(torch.cat([h[-2], h[-1]], 1) if self.rnn.bidirectional else h[-1])

class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(1, o["filters"], (k, I)) for k in (3, 4, 5))
        self.fc = nn.Linear(3 * o["filters"], K)
    def forward(self, x):
        return self.fc(torch.cat([torch.relu(c(x)).squeeze(3).max(2)[0] for c in self.convs], 1))

network = Convolutional() if kind == "textconvnet" else Recurrent()
theta = torch.from_numpy(np.fromfile("theta.bin", "<f4"))
assert sum(p.numel() for p in network.parameters()) == len(theta)
vector_to_parameters(theta, network.parameters())
x = torch.from_numpy(np.fromfile("x.bin", "<f4")).view(-1, 1, T, I)
network(x).detach().numpy().astype("<f4").tofile("logits.bin")
print(json.dumps([[name, list(p.shape)] for name, p in network.named_parameters()]))
`;

const networks = [
  { name: 'textconvnet', filters: 6 },
  ...['rnn', 'lstm'].flatMap((name) =>
    [1, 2].flatMap((layers) =>
      [false, true].map((bidirectional) => ({ name, hidden: 6, layers, bidirectional })),
    ),
  ),
];

describe('networks for sequences', () => {
  it.for(networks)('%j has the parameters and logits of PyTorch', async (own, context) => {
    if (!python) return context.skip('no python3 here imports torch and numpy');
    const options = { ...own, inputShape: [1, T, I], classes: K } as NetworkOptions;
    const { count, parameters } = createNetwork(options);
    const theta = normals(count, 3).map((value) => value / 2);
    const x = normals(N * T * I, 4);
    const folder = await made.write({
      'theta.bin': new Uint8Array(theta.buffer),
      'x.bin': new Uint8Array(x.buffer),
      'network.py': program,
    });
    const said = execFileSync(python, ['network.py', JSON.stringify(own)], { cwd: folder, encoding: 'utf8' });
    const theirs = JSON.parse(said) as [string, number[]][];
    expect(parameters.map(({ shape }) => shape)).toEqual(theirs.map(([, shape]) => shape));
    const last = (name: string) => name.split('.').at(-1);
    expect(parameters.map(({ name }) => last(name))).toEqual(theirs.map(([name]) => last(name)));

    const bytes = readFileSync(join(folder, 'logits.bin'));
    const expected = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    await using device = await openDevice('cpu');
    const { scores } = await predict(device, modelOf(options, theta), x);
    for (const [i, score] of scores.entries()) expect(Math.abs(score - expected[i])).toBeLessThan(1e-5);
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.1);
  });
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
