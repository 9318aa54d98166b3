"""Writes data sets in the layouts of their publishers, and expected.json with what a reader should find in them."""

import gzip
import json
import pickle
import struct
import sys
from pathlib import Path

import numpy as np

root = Path(sys.argv[1])
expected = {}
random = np.random.default_rng(7)


def images(count, *shape):
    """Bytes [count, *shape] that no transposition leaves as they are."""
    return random.integers(0, 256, (count, *shape), dtype=np.uint8)


def folder(name):
    path = root / name
    path.mkdir()
    return path


def expect(name, train, labels, test, test_labels, names=None):
    """Images as [N, C, H, W]."""
    expected[name] = dict(
        shape=train.shape[1:], train=train.ravel().tolist(), labels=np.asarray(labels).tolist(),
        test=test.ravel().tolist(), testLabels=np.asarray(test_labels).tolist(), names=names,
    )


def idx(path, array):
    kind, dtype = (8, ">u1") if array.dtype == np.uint8 else (12, ">i4")
    head = struct.pack(">BBBB" + "I" * array.ndim, 0, 0, kind, array.ndim, *array.shape)
    data = head + array.astype(dtype).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


cycle = lambda count, classes: np.arange(count) % classes

# Arrays.
train, test = images(12, 1, 5, 4), images(4, 1, 5, 4)
labels, test_labels = cycle(12, 3), cycle(4, 3)
path = folder("fortran")
np.save(path / "x_train.npy", np.asfortranarray(train[:, 0]))
np.save(path / "y_train.npy", labels)
np.save(path / "x_test.npy", np.asfortranarray(test[:, 0]))
np.save(path / "y_test.npy", np.eye(3)[test_labels])
expect("fortran", train, labels, test, test_labels)

path = folder("float16")
half, half_test = (train / 255).astype(np.float16), (test / 255).astype(">f2")
np.savez_compressed(path / "set.npz", images=half, labels=np.eye(3, dtype=bool)[labels],
                    test_images=half_test, test_labels=test_labels)
expect("float16/set.npz", half.astype(np.float64), labels, half_test.astype(np.float64), test_labels)

path = folder("from-one")
np.savez(path / "set.npz", images=train[:, 0], labels=labels + 1, test_images=test[:, 0], test_labels=test_labels + 1)
expect("from-one/set.npz", train, labels, test, test_labels, ["1", "2", "3"])

path = folder("kmnist")
grey, grey_test = images(20, 1, 28, 28), images(5, 1, 28, 28)
ten, ten_test = cycle(20, 10).astype(np.uint8), cycle(5, 10).astype(np.uint8)
for part, x, y in (("train", grey, ten), ("test", grey_test, ten_test)):
    np.savez_compressed(path / f"kmnist-{part}-imgs.npz", x[:, 0])
    np.savez_compressed(path / f"kmnist-{part}-labels.npz", y)
expect("kmnist", grey, ten, grey_test, ten_test)

path = folder("quickdraw")
for name, part in (("full_numpy_bitmap_cat", grey[:7]), ("the Eiffel Tower", grey[7:])):
    np.save(path / f"{name}.npy", part.reshape(-1, 784))
expect("quickdraw", grey, [0] * 7 + [1] * 13, grey[:0], [], ["cat", "the Eiffel Tower"])

# IDX.
path = folder("emnist")
for part, x, y in (("train", grey, cycle(20, 3)), ("test", grey_test, cycle(5, 3))):
    idx(path / f"emnist-letters-{part}-images-idx3-ubyte.gz", x[:, 0].transpose(0, 2, 1))
    idx(path / f"emnist-letters-{part}-labels-idx1-ubyte.gz", (y + 1).astype(np.uint8))
(path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n3 67 99\n")
expect("emnist", grey, cycle(20, 3), grey_test, cycle(5, 3), ["A", "B", "C"])

path = folder("qmnist")
for part, x, y in (("train", grey, ten), ("test", grey_test, ten_test)):
    idx(path / f"qmnist-{part}-images-idx3-ubyte.gz", x[:, 0])
    rows = np.concatenate([y[:, None].astype(np.int32), random.integers(0, 1 << 30, (len(y), 7))], 1)
    idx(path / f"qmnist-{part}-labels-idx2-int", rows.astype(np.int32))
expect("qmnist", grey, ten, grey_test, ten_test)

# CIFAR for Python, as Python 2 and as newer versions write it.
colour, colour_test = images(20, 3, 32, 32), images(4, 3, 32, 32)
for protocol in (2, 4, 5):
    path = folder(f"cifar10-protocol-{protocol}")
    key = (lambda text: text.encode()) if protocol < 5 else (lambda text: text)

    def batch(name, x, y):
        content = {key("batch_label"): key(name), key("labels"): [int(label) for label in y],
                   key("data"): x.reshape(len(x), -1), key("filenames"): [key(f"{i}.png") for i in range(len(x))]}
        (path / name).write_bytes(pickle.dumps(content, protocol))

    for i in range(5):
        batch(f"data_batch_{i + 1}", colour[4 * i:4 * i + 4], ten[4 * i:4 * i + 4])
    batch("test_batch", colour_test, ten_test[:4])
    names = [f"class {i}" for i in range(10)]
    (path / "batches.meta").write_bytes(pickle.dumps({key("label_names"): [key(n) for n in names],
                                                       key("num_vis"): 3072}, protocol))
    expect(path.name, colour, ten, colour_test, ten_test[:4], names)

path = folder("cifar100")
many = images(100, 3, 32, 32)
for name, x, y in (("train", many, np.arange(100)), ("test", colour_test, np.arange(4))):
    content = {b"fine_labels": y.tolist(), b"coarse_labels": (y % 20).tolist(), b"data": x.reshape(len(x), -1)}
    (path / name).write_bytes(pickle.dumps(content, 2))
(path / "meta").write_bytes(pickle.dumps({b"fine_label_names": [f"fine {i}".encode() for i in range(100)]}, 2))
expect("cifar100", many, np.arange(100), colour_test, np.arange(4), [f"fine {i}" for i in range(100)])

# STL-10: planes with columns first, classes from 1 on.
path = folder("stl10")
big, big_test = images(10, 3, 96, 96), images(2, 3, 96, 96)
for part, x, y in (("train", big, np.arange(10)), ("test", big_test, np.arange(2))):
    x.transpose(0, 1, 3, 2).tofile(path / f"{part}_X.bin")
    (y + 1).astype(np.uint8).tofile(path / f"{part}_y.bin")
(path / "class_names.txt").write_text("".join(f"animal {i}\n" for i in range(10)))
expect("stl10", big, np.arange(10), big_test, np.arange(2), [f"animal {i}" for i in range(10)])

# Tables of pandas' form.
path = folder("table")
rows = grey[:, 0, :4, :4].reshape(20, -1)
for part, x, y in (("train", rows, ten), ("test", rows[:5], ten[:5])):
    np.savetxt(path / f"{part}.csv", np.c_[np.arange(len(x)), y, x], "%d", ",",
               header=",".join(["", "label", *map(str, range(16))]), comments="")
expect("table", rows.reshape(20, 1, 4, 4), ten, rows[:5].reshape(5, 1, 4, 4), ten[:5])

try:
    from PIL import Image
except ImportError:
    pass
else:
    def pictures(name, make):
        path = folder(name)
        values = []
        for part, count in (("train", 6), ("test", 2)):
            all = []
            for i in range(count):
                (path / part / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
                image, seen = make(i)
                image.save(path / part / "ab"[i % 2] / f"{i}.png")
                all.append(seen)
            values.append(np.stack([all[i] for i in sorted(range(count), key=lambda i: (i % 2, i))]))
        expect(name, values[0], [0, 0, 0, 1, 1, 1], values[1], [0, 1], ["a", "b"])

    def grey16(i):
        values = random.integers(0, 4096, (5, 4), dtype=np.uint16)
        values[0, 0] = 4095
        return Image.frombytes("I;16", (4, 5), values.tobytes()), values[None] / 4095

    def on_white(mode):
        def make(i):
            channels = len(mode)
            image = Image.frombytes(mode, (4, 5), images(1, 5, 4, channels).tobytes())
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image.convert("RGBA"))
            seen = np.asarray(white.convert("RGB"))
            return image, seen.transpose(2, 0, 1) if mode == "RGBA" else seen[None, :, :, 0]
        return make

    pictures("grey16", grey16)
    pictures("rgba", on_white("RGBA"))
    pictures("la", on_white("LA"))
    pictures("plain", lambda i: (lambda x: (Image.fromarray(x), x.transpose(2, 0, 1)))(images(1, 5, 4, 3)[0]))

(root / "expected.json").write_text(json.dumps(expected))
