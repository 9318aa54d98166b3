"""What is written, and what is expected of it; who writes it are functions, one for each tool. A tool that is not there is left out,
and so are its data sets."""

import importlib
import sys
import warnings
from pathlib import Path

import numpy as np

root = Path(sys.argv[1])
expected, tools, written = {}, {}, []
random = np.random.default_rng(11)
labels, test_labels = np.arange(20) % 3, np.arange(6) % 3
warnings.simplefilter("ignore")


def pictures(count, *shape):
    """Bytes [count, *shape] that no transposition leaves as they are."""
    return random.integers(0, 256, (count, *shape), dtype=np.uint8)


def folder(name):
    path = root / name
    path.mkdir(parents=True)
    return path


def expect(name, train, train_labels=labels, test=None, test_labels=test_labels, names=None, options={}, tolerance=0):
    """Images as [N, C, H, W]; without those to test on none are looked at."""
    expected[name] = dict(
        tool=written[-1], shape=train.shape[1:], train=np.asarray(train, np.float64).ravel().tolist(),
        labels=np.asarray(train_labels).tolist(), names=names, options=options, tolerance=tolerance,
        **({} if test is None else dict(test=np.asarray(test, np.float64).ravel().tolist(),
                                        testLabels=np.asarray(test_labels).tolist())),
    )


def tool(*modules):
    """Runs a function with modules where all of them are there."""
    def run(function):
        try:
            found = [importlib.import_module(module) for module in modules]
        except ImportError:
            return
        written.append(modules[0].split(".")[0])
        for module in modules:
            package = module.split(".")[0]
            tools[package] = importlib.import_module(package).__version__
        function(*found)
    return run


def refuse(name, code, message):
    expected[name] = dict(tool=written[-1], refused=dict(code=code, message=message))
