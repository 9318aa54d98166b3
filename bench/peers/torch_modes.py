"""The workloads in PyTorch's other ways to run them: a CUDA graph of the eager step, and, written with torch.func, a step
that torch.compile compiles or that vmap takes over all networks at once.

A mode is `vmap` or nothing, then `graph`, `compile` or nothing, joined by `+`.
"""
import sys

import torch

# Run as a program, torch_steps is called __main__; imported under its name it would be a second copy.
steps = sys.modules["__main__"]


def in_mode(mode, eager, kind):
    parts = mode.split("+")
    if "vmap" in parts or "compile" in parts:
        step = getattr(Functional(eager, "vmap" in parts), kind)()
    else:
        step = getattr(eager, kind)()
    if "compile" in parts:
        if not hasattr(torch, "compile"):
            raise RuntimeError(f"PyTorch {torch.__version__} has no torch.compile")
        on_gpu = eager.arrays["parameters"].is_cuda
        return torch.compile(step, mode="reduce-overhead" if on_gpu else "default")
    return graph_of(step) if "graph" in parts else step


def graph_of(step):
    """All kernels of a step, recorded once and launched together."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = step()

    def replay():
        graph.replay()
        return results

    return replay


def transforms():
    """torch.func, or what it was called before PyTorch 2."""
    try:
        from torch.func import grad, vmap
    except ImportError:
        from functorch import grad, vmap
    return grad, vmap


class Functional:
    """The steps of `torch_steps.Steps` as functions of flat parameters, `[count]`."""

    def __init__(self, eager, over_networks):
        self.grad, vmap = transforms()
        self.arrays, self.net = eager.arrays, eager.net
        self.shapes = [tuple(shape) for shape in eager.shapes]
        self.sizes = [torch.Size(shape).numel() for shape in self.shapes]
        self.over_networks = vmap if over_networks else self.one_by_one

    @staticmethod
    def one_by_one(function):
        return lambda rows: torch.stack([function(row) for row in rows])

    def loss(self, flat, x, y):
        pieces = [v.view(shape) for v, shape in zip(flat.split(self.sizes), self.shapes)]
        return steps.cross_entropy(self.net(pieces, x), y)

    def train_on(self, flat, xs, ys, rates):
        for t in range(len(rates)):
            flat = flat - rates[t] * self.grad(self.loss)(flat, xs[t % len(xs)], ys[t % len(xs)])
        return flat

    def gradients(self, outer):
        """A step: the gradient of `outer(images, rates)`."""
        images, rates = self.arrays["images"], self.arrays["rates"]

        def step():
            images_bar, rates_bar = self.grad(outer, argnums=(0, 1))(images, rates)
            return {"imagesBar": images_bar, "ratesBar": rates_bar}

        return step

    def meta_step(self):
        a = self.arrays

        def outer(images, rates):
            def after(flat):
                return self.loss(self.train_on(flat, images, a["labels"], rates), a["realImages"], a["realLabels"])

            return self.over_networks(after)(a["parameters"]).mean()

        return self.gradients(outer)

    def trajectory(self):
        a = self.arrays
        first, target = a["parameters"][0], a["target"][0]
        distance = ((first - target) ** 2).sum()

        def outer(images, rates):
            return ((self.train_on(first, images, a["labels"], rates) - target) ** 2).sum() / distance

        return self.gradients(outer)

    def gradient(self):
        a = self.arrays
        bar = self.grad(self.loss)
        return lambda: {"parametersBar": bar(a["parameters"][0], a["realImages"], a["realLabels"])}

    def train(self):
        a = self.arrays
        after = self.over_networks(lambda flat: self.train_on(flat, a["images"], a["labels"], a["rates"]))
        return lambda: {"change": after(a["parameters"]) - a["parameters"]}
