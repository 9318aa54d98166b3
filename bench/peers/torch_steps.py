"""One trial of PyTorch: the workloads of bench/workloads by autograd, from the same arrays, in a process of its own.

Takes and prints what bench/suite/trial.mjs does: one step whose results are written where asked for, or timed steps.
"""
import argparse
import json
import statistics
import struct
import time

import numpy
import torch
import torch.nn.functional as F
from torch.autograd import grad


def read_arrays(path, device="cpu"):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    task = json.loads(header.pop("__metadata__")["task"])
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(data, numpy.float32, (end - begin) // 4, 8 + length + begin)
        arrays[name] = torch.from_numpy(values).view(entry["shape"]).to(device)
    return arrays, task


def write_results(path, results):
    header, pieces, at = {}, [], 0
    for name, tensor in results.items():
        piece = tensor.detach().contiguous().cpu().numpy().tobytes()
        shape = [tensor.numel()]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(piece)]}
        pieces.append(piece)
        at += len(piece)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(pieces))


LENET = [(6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,)]


def lenet(p, x):
    x = F.max_pool2d(F.relu(F.conv2d(x, p[0], p[1], padding=2)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, p[2], p[3])), 2)
    x = F.relu(F.linear(x.flatten(1), p[4], p[5]))
    return F.linear(F.relu(F.linear(x, p[6], p[7])), p[8], p[9])


# Two layers of 100 units, walked from both ends: weight_ih, weight_hh, bias_ih, bias_hh of each, and the classifier.
LSTM = [s for i in (100, 100, 200, 200) for s in ((400, i), (400, 100), (400,), (400,))] + [(6, 200), (6,)]


def lstm(p, x):
    first = x.new_zeros(4, len(x), 100)
    _, h, _ = torch.lstm(x[:, 0], (first, first), p[:16], True, 2, 0.0, True, True, True)
    return F.linear(torch.cat([h[2], h[3]], 1), p[16], p[17])


def convnet_shapes(width, channels):
    blocks = [[(width, c, 3, 3), (width,), (width,), (width,)] for c in (channels, width, width)]
    return sum(blocks, []) + [(10, 16 * width), (10,)]


def convnet_features(p, x):
    for i in range(0, 12, 4):
        # Images of one channel get a frame that makes 32 x 32 of 28 x 28.
        x = F.conv2d(x, p[i], p[i + 1], padding=3 if x.shape[1] == 1 else 1)
        # Instance norm as the field writes it: as many groups as channels.
        x = F.avg_pool2d(F.relu(F.group_norm(x, x.shape[1], p[i + 2], p[i + 3])), 2)
    return x.flatten(1)


def convnet(p, x):
    return F.linear(convnet_features(p, x), p[12], p[13])


def cross_entropy(z, y):
    return -(y * F.log_softmax(z, 1)).sum(1).mean()


class Steps:
    """One method per kind of workload: makes what a step needs and returns the step."""

    def __init__(self, arrays, task, layout):
        self.arrays = arrays
        self.task = task
        self.format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        if task["kind"] != "meta-step":
            self.net, self.shapes = convnet, convnet_shapes(task["width"], task.get("inputShape", [3])[0])
        else:
            self.net, self.shapes = (lstm, LSTM) if task.get("network") == "lstm" else (lenet, LENET)

    def lay_out(self, x):
        return x.clone(memory_format=self.format) if x.dim() == 4 else x.clone()

    def parameters(self, flat):
        sizes = [numpy.prod(shape, dtype=int) for shape in self.shapes]
        return [self.lay_out(v.view(shape)) for v, shape in zip(flat.split([int(s) for s in sizes]), self.shapes)]

    def flatten(self, p):
        return torch.cat([v.detach().reshape(-1) for v in p])

    def networks(self):
        return [[v.requires_grad_() for v in self.parameters(flat)] for flat in self.arrays["parameters"]]

    def distilled(self):
        """Batches, labels and rates as leaves: one image batch per inner step."""
        xs = [self.lay_out(x).requires_grad_() for x in self.arrays["images"]]
        rates = [rate.clone().requires_grad_() for rate in self.arrays["rates"]]
        return xs, list(self.arrays["labels"]), rates

    def unroll(self, p, xs, ys, rates):
        for t, rate in enumerate(rates):
            loss = cross_entropy(self.net(p, xs[t % len(xs)]), ys[t % len(xs)])
            p = [v - rate * g for v, g in zip(p, grad(loss, p, create_graph=True))]
        return p

    def meta_results(self, total, count):
        return {
            "imagesBar": torch.cat([g.reshape(-1) for g in total[:count]]),
            "ratesBar": torch.stack(total[count:]),
        }

    def meta_step(self):
        networks, (xs, ys, rates) = self.networks(), self.distilled()
        x, y = self.lay_out(self.arrays["realImages"]), self.arrays["realLabels"]

        def step():
            total = None
            for p in networks:
                loss = cross_entropy(self.net(self.unroll(p, xs, ys, rates), x), y) / len(networks)
                bars = grad(loss, xs + rates)
                total = [a + b for a, b in zip(total, bars)] if total else bars
            return self.meta_results(total, len(xs))

        return step

    def trajectory(self):
        (p,), (xs, ys, rates) = self.networks(), self.distilled()
        target = self.parameters(self.arrays["target"][0])
        distance = sum(((a.detach() - b) ** 2).sum() for a, b in zip(p, target))

        def step():
            last = self.unroll(p, xs, ys, rates)
            loss = sum(((a - b) ** 2).sum() for a, b in zip(last, target)) / distance
            return self.meta_results(grad(loss, xs + rates), len(xs))

        return step

    def gradient(self):
        (p,) = self.networks()
        x, y = self.lay_out(self.arrays["realImages"]), self.arrays["realLabels"]
        return lambda: {"parametersBar": self.flatten(grad(cross_entropy(self.net(p, x), y), p))}

    def classes(self):
        """Distilled and real images of every class, the distilled ones as leaves."""
        real = [self.lay_out(x) for x in self.arrays["realImages"]]
        return [self.lay_out(x).requires_grad_() for x in self.arrays["images"]], real

    def gradient_matching(self):
        (p,), (images, real) = self.networks(), self.classes()

        def gradient(x, label, **options):
            y = F.one_hot(torch.full((len(x),), label, device=x.device), 10).to(x.dtype)
            return grad(cross_entropy(self.net(p, x), y), p, **options)

        def distance(a, b):
            a, b = a.flatten(1), b.flatten(1)
            return (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).sum()

        def step():
            total = 0
            for label, (x, x_real) in enumerate(zip(images, real)):
                target = [g.detach() for g in gradient(x_real, label)]
                own = gradient(x, label, create_graph=True)
                total = total + sum(distance(a, b) for a, b in zip(own, target) if a.dim() > 1)
            return {"imagesBar": torch.cat([g.reshape(-1) for g in grad(total, images)])}

        return step

    def distribution_matching(self):
        (p,), (images, real) = self.networks(), self.classes()
        p = [v.detach() for v in p]

        def step():
            total = 0
            for x, x_real in zip(images, real):
                difference = convnet_features(p, x).mean(0) - convnet_features(p, x_real).mean(0)
                total = total + (difference**2).sum()
            return {"imagesBar": torch.cat([g.reshape(-1) for g in grad(total, images)])}

        return step

    def train(self):
        first = self.arrays["parameters"]
        x, y = self.lay_out(self.arrays["images"][0]), self.arrays["labels"][0]
        rates = self.arrays["rates"].tolist()

        def step():
            changes = []
            for flat in first:
                p = [v.requires_grad_() for v in self.parameters(flat)]
                for rate in rates:
                    bars = grad(cross_entropy(self.net(p, x), y), p)
                    with torch.no_grad():
                        for v, g in zip(p, bars):
                            v.sub_(g, alpha=rate)
                changes.append(self.flatten(p) - flat)
            return {"change": torch.cat(changes)}

        return step


def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(field))


def peak_memory(device):
    """Forgets the peak so far; a function that tells it, in MiB above what there is now: of the process, or of CUDA's tensors."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        return lambda: (torch.cuda.max_memory_allocated() - held) / 2**20
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass
    before = status("VmRSS")
    return lambda: status("VmHWM") - before


def main():
    parser = argparse.ArgumentParser()
    for name in ("inputs", "results"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--layout", default="contiguous")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--mode", default="eager")
    parser.add_argument("--tf32", action="store_true")
    flags = parser.parse_args()
    if flags.threads:
        torch.set_num_threads(flags.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = flags.tf32
    finish = torch.cuda.synchronize if flags.device == "cuda" else lambda: None
    arrays, task = read_arrays(flags.inputs, flags.device)
    # From here on the peak counts: what the process holds now is the library and the inputs.
    peak = peak_memory(flags.device)
    kind = task["kind"].replace("-", "_")
    if flags.mode == "eager":
        step = getattr(Steps(arrays, task, flags.layout), kind)()
    else:
        from torch_modes import in_mode

        step = in_mode(flags.mode, Steps(arrays, task, flags.layout), kind)
    results = step()
    finish()
    report = {}
    if flags.results:
        write_results(flags.results, results)
    else:
        times, end = [], time.perf_counter() + flags.seconds
        while len(times) < flags.repeats or time.perf_counter() < end:
            start = time.perf_counter()
            step()
            finish()
            times.append(1000 * (time.perf_counter() - start))
        report["ms"] = statistics.median(times)
    print(json.dumps({**report, "memory": peak()}))


if __name__ == "__main__":
    main()
