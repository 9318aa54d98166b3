"""Files of the publishers' forms, as torchvision reads them."""

import io
import pickle

import numpy as np

from common import expect, folder, pictures, random, root, tool


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2, which made CIFAR's files, writes its texts."""
    dispatch = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        length = len(value)
        self.write((b"U" + bytes([length]) if length < 256 else b"T" + length.to_bytes(4, "little")) + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes


def python2(content):
    file = io.BytesIO()
    Python2Pickler(file, 2).dump(content)
    return file.getvalue()


@tool("torchvision.datasets", "PIL.Image", "scipy.io")
def readers(tv, Image, scipy_io):
    """Files of the publishers' forms; what is expected is what torchvision reads in them."""
    from torchvision.datasets import cifar, stl10, svhn
    for module in (cifar, stl10, svhn):
        module.check_integrity = lambda *_: True  # Of the publishers' own files alone.
    tv.CIFAR10._check_integrity = tv.STL10._check_integrity = lambda _: True

    def idx(path, array):
        kind, dtype = (8, ">u1") if array.dtype == np.uint8 else (12, ">i4")
        head = bytes([0, 0, kind, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        path.write_bytes(head + array.astype(dtype).tobytes())

    grey, grey_test = pictures(40, 28, 28), pictures(10, 28, 28)
    ten, ten_test = (np.arange(40) % 10).astype(np.uint8), (np.arange(10) % 10).astype(np.uint8)
    read = lambda parts: [(np.asarray(part.data), np.asarray(part.targets)) for part in parts]
    for name, kind in (("MNIST", tv.MNIST), ("FashionMNIST", tv.FashionMNIST), ("KMNIST", tv.KMNIST)):
        path = folder(f"torchvision/{name}/raw")
        for part, x, y in (("train", grey, ten), ("t10k", grey_test, ten_test)):
            idx(path / f"{part}-images-idx3-ubyte", x)
            idx(path / f"{part}-labels-idx1-ubyte", y)
        (x, y), (x_test, y_test) = read(kind(root / "torchvision", train) for train in (True, False))
        expect(f"torchvision/{name}/raw", x[:, None], y, x_test[:, None], y_test)

    path = folder("torchvision/EMNIST/raw")
    for part, x, y in (("train", grey, ten), ("test", grey_test, ten_test)):
        idx(path / f"emnist-mnist-{part}-images-idx3-ubyte", x)
        idx(path / f"emnist-mnist-{part}-labels-idx1-ubyte", y)
    (x, y), (x_test, y_test) = read(tv.EMNIST(root / "torchvision", "mnist", train=train) for train in (True, False))
    # torchvision leaves them lying on their side.
    expect("torchvision/EMNIST/raw", x.transpose(0, 2, 1)[:, None], y, x_test.transpose(0, 2, 1)[:, None], y_test)

    path = folder("torchvision/QMNIST/raw")
    for part, x, y in (("train", grey, ten), ("test", grey_test, ten_test)):
        idx(path / f"qmnist-{part}-images-idx3-ubyte", x)
        more = random.integers(0, 1 << 30, (len(y), 7))
        idx(path / f"qmnist-{part}-labels-idx2-int", np.concatenate([y[:, None], more], 1).astype(np.int32))
    x, x_test = (tv.QMNIST(root / "torchvision", train=train) for train in (True, False))
    # Of numbers of several bytes torchvision 0.14 turns the order of the numbers, not that of their bytes; these labels are known.
    images_of = lambda part: np.asarray(part.data)[:, None]
    expect("torchvision/QMNIST/raw", images_of(x), ten, images_of(x_test), ten_test)

    colour, colour_test = pictures(20, 3, 32, 32), pictures(6, 3, 32, 32)
    hundred = lambda y: {b"fine_labels": y.tolist(), b"coarse_labels": (y % 20).tolist()}
    batches = lambda x, y, labels: {b"batch_label": b"a batch", b"data": x.reshape(len(x), -1), **labels(y),
                                    b"filenames": [b"%d.png" % i for i in range(len(x))]}
    first = lambda x: x.transpose(0, 3, 1, 2)
    ways = {"cifar-10-batches-py": (tv.CIFAR10, [f"data_batch_{i}" for i in range(1, 6)], "test_batch", "batches.meta",
                                    "label_names", lambda y: {b"labels": (y % 10).tolist()}),
            "cifar-100-python": (tv.CIFAR100, ["train"], "test", "meta", "fine_label_names", hundred)}
    for name, (kind, train, test, meta, key, labels_of) in ways.items():
        path, count = folder(f"torchvision/{name}"), 10 if kind is tv.CIFAR10 else 100
        many = np.tile(colour, (5, 1, 1, 1))
        numbers = np.arange(100)
        for i, file in enumerate(train):
            part = slice(i * 100 // len(train), (i + 1) * 100 // len(train))
            (path / file).write_bytes(python2(batches(many[part], numbers[part], labels_of)))
        (path / test).write_bytes(python2(batches(colour_test, numbers[:6], labels_of)))
        (path / meta).write_bytes(python2({key.encode(): [b"name %d" % i for i in range(count)]}))
        (x, y), (x_test, y_test) = read(kind(root / "torchvision", train) for train in (True, False))
        expect(f"torchvision/{name}", first(x), y, first(x_test), y_test, [f"name {i}" for i in range(count)])

    path = folder("torchvision/stl10_binary")
    big, big_test = pictures(10, 3, 96, 96), pictures(5, 3, 96, 96)
    for part, x in (("train", big), ("test", big_test)):
        x.tofile(path / f"{part}_X.bin")
        (np.arange(len(x)) + 1).astype(np.uint8).tofile(path / f"{part}_y.bin")
    (path / "class_names.txt").write_text("".join(f"animal {i}\n" for i in range(10)))
    x, x_test = (tv.STL10(root / "torchvision", part) for part in ("train", "test"))
    names = [f"animal {i}" for i in range(10)]
    expect("torchvision/stl10_binary", x.data, x.labels, x_test.data, x_test.labels, names)

    path = folder("torchvision/svhn")
    for part, x in (("train", colour), ("test", colour_test)):
        y = (np.arange(len(x)) % 10 + 1)[:, None].astype(np.uint8)
        scipy_io.savemat(path / f"{part}_32x32.mat", {"X": x.transpose(2, 3, 1, 0), "y": y}, do_compression=True)
    x, x_test = (tv.SVHN(path, part) for part in ("train", "test"))
    expect("torchvision/svhn", x.data, x.labels, x_test.data, x_test.labels)

    path = folder("torchvision/images")
    for part, count in (("train", 20), ("test", 6)):
        for i, image in enumerate(pictures(count, 5, 4, 3)):
            (path / part / f"class {i % 3}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path / part / f"class {i % 3}" / f"{i:02}.png")
    parts = [tv.ImageFolder(path / part) for part in ("train", "test")]
    (x, y), (x_test, y_test) = [(np.stack([np.asarray(image) for image, _ in part]), part.targets) for part in parts]
    expect("torchvision/images", first(x), y, first(x_test), y_test, parts[0].classes)
