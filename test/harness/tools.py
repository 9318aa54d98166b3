"""Writes data sets with the tools that people write them with, and expected.json with what these tools read in them.

One function for each tool; a tool that is not there is left out, and so are its data sets."""

import csv
import importlib
import io
import json
import pickle
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


@tool("numpy")
def arrays(np):
    grey, grey_test = pictures(20, 1, 5, 4), pictures(6, 1, 5, 4)
    colour = pictures(20, 3, 5, 4)
    for kind in "|u1 |i1 <u2 >u2 <i2 >i2 <u4 >u4 <i4 >i4 <u8 >u8 <i8 >i8 |b1".split():
        seen = grey // 2 if kind == "|i1" else grey % 2 if kind == "|b1" else grey
        stored = seen.astype(kind)
        for order in "CF":
            path = folder(f"npy/{kind[1:]}-{'big' if kind[0] == '>' else 'little'}-{order}")
            # Labels of the same type.
            y = (labels % 2 if kind == "|b1" else labels).astype(kind)
            np.save(path / "x_train.npy", np.asarray(stored[:, 0], order=order))
            np.save(path / "y_train.npy", y)
            expect(f"npy/{path.name}", seen, y.astype(int))
    for kind in "<f2 >f2 <f4 >f4 <f8 >f8".split():
        stored = (colour / 255).astype(kind)
        for order in "CF":
            for save in (np.savez, np.savez_compressed):
                name = f"npz/{kind[1:]}-{'big' if kind[0] == '>' else 'little'}-{order}-{save.__name__}"
                save(folder(name) / "set.npz", train_images=np.asarray(stored.transpose(0, 2, 3, 1), order=order),
                     train_labels=labels.astype(np.float32), test_images=stored[:6].transpose(0, 2, 3, 1),
                     test_labels=test_labels)
                expect(f"{name}/set.npz", stored.astype(np.float32), labels, stored[:6].astype(np.float32))
    # A view, a header of the third version and classes [N, 1].
    path = folder("npy/views")
    np.save(path / "x_train.npy", np.repeat(grey, 2, 0)[::2, 0, ::-1])
    with open(path / "y_train.npy", "wb") as file:
        np.lib.format.write_array(file, labels[:, None], version=(3, 0))
    expect("npy/views", grey[:, :, ::-1], labels)


@tool("scipy.io")
def matlab(io):
    colour, colour_test = pictures(20, 3, 32, 32), pictures(6, 3, 32, 32)
    digits = np.arange(20) % 10
    as_stored = lambda x: x.transpose(2, 3, 1, 0)
    for kind in ("uint8", "int64", "float64"):
        for packed in (False, True):
            path = folder(f"svhn/{kind}-{'packed' if packed else 'plain'}")
            for part, x, y in (("train", colour, digits), ("test", colour_test, digits[:6])):
                y = np.where(y == 0, 10, y)[:, None].astype(kind)
                io.savemat(path / f"{part}_32x32.mat", {"X": as_stored(x), "y": y}, do_compression=packed)
            expect(f"svhn/{path.name}", colour, digits, colour_test, digits[:6])
    grey = pictures(20, 1, 5, 4)
    for kind in "uint8 int8 uint16 int16 uint32 int32 uint64 int64 float32 float64 bool".split():
        seen = grey // 2 if kind == "int8" else grey % 2 if kind == "bool" else grey
        if kind.startswith("float"):
            seen = (seen / 255).astype(kind)
        for packed in (False, True):
            for oned in ("row", "column"):
                name = f"mat/{kind}-{'packed' if packed else 'plain'}-{oned}"
                io.savemat(folder(name) / "set.mat", {"images": seen[:, 0].astype(kind), "labels": labels,
                                                      "remark": "a text", "fields": {"a": 1.0, "b": [1, 2]},
                                                      "cells": np.array([1, "x"], dtype=object)},
                           do_compression=packed, oned_as=oned)
                expect(f"{name}/set.mat", seen.astype(np.float32), labels)


@tool("pandas")
def tables(pd):
    rows, rows_test = pictures(20, 16), pictures(6, 16)
    square = lambda x: x.reshape(-1, 1, 4, 4)
    frame = lambda x, y: pd.DataFrame(x, columns=[f"pixel{i}" for i in range(x.shape[1])]).assign(label=y)
    words = ["café, noir", 'a "b"', "c;d"]
    spelt = lambda y: [words[i] for i in y]
    by_name = sorted(range(3), key=lambda i: words[i])
    place = np.argsort(by_name)

    def table(name, x, y, x_test, y_test, suffix=".csv", seen=None, names=None, options={}, **how):
        path = folder(f"table/{name}")
        for part, images, classes in (("train", x, y), ("test", x_test, y_test)):
            frame(images, classes).to_csv(path / f"{part}{suffix}", **how)
        numbers = lambda y: [by_name.index(words.index(c)) for c in y] if isinstance(y[0], str) else y
        expect(f"table/{name}", square(x), numbers(y), square(x_test), numbers(y_test), names, options)

    usual = (rows, labels, rows_test, test_labels)
    table("index", *usual)
    table("no-index", *usual, index=False)
    table("named-index", *usual, index_label="index")
    table("tabs", *usual, suffix=".tsv", sep="\t")
    table("tabs-no-index", *usual, suffix=".tsv", sep="\t", index=False)
    table("semicolons", *usual, sep=";")
    table("blanks", *usual, sep=" ", index=False)
    table("blanks-quoted", *usual, sep=" ", index=False, quoting=csv.QUOTE_ALL)
    table("quoted", *usual, quoting=csv.QUOTE_ALL)
    table("names-quoted", *usual, quoting=csv.QUOTE_NONNUMERIC)
    table("no-header", *usual, header=False, index=False, options={"labelColumn": "17", "header": "no"})
    table("windows", *usual, index=False, lineterminator="\r\n")
    table("packed", *usual, suffix=".csv.gz")
    table("mark", *usual, encoding="utf-8-sig")
    table("utf16", *usual, encoding="utf-16")
    named = (rows, spelt(labels), rows_test, spelt(test_labels))
    for name, how in {"words": {}, "words-tabs": dict(sep="\t"), "words-semicolons": dict(sep=";"),
                      "words-latin1": dict(encoding="latin-1"), "words-utf16": dict(encoding="utf-16")}.items():
        table(name, *named, suffix=".tsv" if "tabs" in name else ".csv", names=[words[i] for i in by_name],
              options={"encoding": "latin1"} if "latin1" in name else {}, **how)
    floats = lambda x: (x / 255).astype(np.float32)
    table("floats", floats(rows), labels, floats(rows_test), test_labels)
    table("doubles", rows / 255, labels, rows_test / 255, test_labels)
    table("whole-floats", rows.astype(float), labels.astype(float), rows_test.astype(float), test_labels.astype(float))


@tool("safetensors", "safetensors.numpy")
def tensors(_, safe):
    colour = pictures(20, 3, 5, 4)
    for kind in "float16 float32 float64 uint8 int8 uint16 int16 uint32 int32 uint64 int64 bool".split():
        seen = colour / 255 if "float" in kind else colour // 2 if kind == "int8" else colour % 2 if kind == "bool" else colour
        stored = seen.astype(kind)
        safe.save_file({"images": stored, "labels": (labels % 2 if kind == "bool" else labels).astype(kind)},
                       folder(f"safetensors/{kind}") / "set.safetensors", {"made": "here"})
        expect(f"safetensors/{kind}/set.safetensors", stored.astype(np.float32), labels % 2 if kind == "bool" else labels)


@tool("torch", "safetensors.torch")
def torch_tensors(torch, safe):
    colour = torch.from_numpy(pictures(20, 3, 5, 4)) / 255
    for kind in (torch.bfloat16, torch.float16):
        name = f"safetensors/{str(kind).replace('.', '-')}"
        stored = colour.to(kind)
        safe.save_file({"images": stored, "labels": torch.from_numpy(labels)}, folder(name) / "set.safetensors")
        expect(f"{name}/set.safetensors", stored.float().numpy(), labels)


def png(image):
    from PIL import Image
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


@tool("pyarrow", "pyarrow.parquet", "PIL")
def parquet(pa, pq, _):
    colour, colour_test = pictures(20, 5, 4, 3), pictures(6, 5, 4, 3)
    names = ["cat", "dog", "eel"]
    hub = lambda names: {"info": {"features": {"image": {"_type": "Image"},
                                               "label": {"names": names, "_type": "ClassLabel"}}}}
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    first = lambda x: x.transpose(0, 3, 1, 2)

    def table(x, y, names=names, type=picture):
        content = [dict(bytes=png(image), path=f"{i}.png") for i, image in enumerate(x)]
        if type == pa.binary() or type == pa.large_binary():
            content = [one["bytes"] for one in content]
        made = pa.table({"image": pa.array(content, type), "label": y})
        return made.replace_schema_metadata({"huggingface": json.dumps(hub(names))} if names else None)

    def write(name, x=colour, y=pa.array(labels), x_test=colour_test, y_test=pa.array(test_labels), names=names,
              type=picture, seen=names, seen_labels=labels, seen_test=test_labels, **how):
        path = folder(f"parquet/{name}")
        pq.write_table(table(x, y, names, type), path / "train-00000-of-00001.parquet", **how)
        pq.write_table(table(x_test, y_test, names, type), path / "test-00000-of-00001.parquet", **how)
        expect(f"parquet/{name}", first(x), seen_labels, first(x_test), seen_test, seen)

    for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4"):
        for version in ("1.0", "2.0"):
            write(f"{codec}-{version}", compression=codec, data_page_version=version)
    write("groups", row_group_size=3)
    write("pages", data_page_size=64, write_batch_size=2)
    write("no-dictionary", use_dictionary=False)
    write("no-statistics", write_statistics=False)
    write("index", write_page_index=True)
    write("checksums", write_page_checksum=True)
    write("old", version="1.0")
    for encoding in ("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "PLAIN"):
        write(f"bytes-{encoding}", use_dictionary=False,
              column_encoding={"image.bytes": encoding, "image.path": encoding,
                               "label": "PLAIN" if encoding == "PLAIN" else "DELTA_BINARY_PACKED"})
    write("split", use_dictionary=False, column_encoding={"label": "BYTE_STREAM_SPLIT"})
    for kind in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "uint64", "float32", "float64"):
        write(f"label-{kind}", y=pa.array(labels.astype(kind)), y_test=pa.array(test_labels.astype(kind)))
    write("label-bool", y=pa.array(labels == 1), y_test=pa.array(test_labels == 1), names=None, seen=["false", "true"],
          seen_labels=(labels == 1).astype(int), seen_test=(test_labels == 1).astype(int))
    words, words_test = [names[i] for i in labels], [names[i] for i in test_labels]
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        write(f"label-{str(kind).split('<')[0]}", y=pa.array(words, kind), y_test=pa.array(words_test, kind), names=None)
    write("plain-bytes", type=pa.binary(), names=None, seen=None)
    write("large-bytes", type=pa.large_binary(), names=None, seen=None)
    write("large-struct", type=pa.struct([("bytes", pa.large_binary()), ("path", pa.string())]))
    write("required", type=pa.struct([pa.field("bytes", pa.binary(), False), pa.field("path", pa.string(), False)]))
    write("many-of-one", x=np.repeat(colour[:1], 20, 0))
    path = folder("parquet/shards")
    for i in range(4):
        pq.write_table(table(colour[5 * i:5 * i + 5], pa.array(labels[5 * i:5 * i + 5])),
                       path / f"train-{i:05}-of-00004.parquet")
    expect("parquet/shards", first(colour), labels, names=names)


@tool("pandas", "pyarrow", "PIL")
def frames(pd, *_):
    colour = pictures(20, 5, 4, 3)
    frame = pd.DataFrame({"image": [dict(bytes=png(image), path=None) for image in colour], "label": labels})
    for codec in (None, "snappy", "gzip", "brotli", "zstd"):
        name = f"pandas/{codec}"
        frame.to_parquet(folder(name) / "train.parquet", compression=codec, index=codec == "gzip" or None)
        expect(f"{name}/train.parquet", colour.transpose(0, 3, 1, 2), labels)
    words = pd.Series(["x", "y", "z"])[labels].astype("category").reset_index(drop=True)
    frame.assign(label=words).to_parquet(folder("pandas/category") / "train.parquet")
    expect("pandas/category/train.parquet", colour.transpose(0, 3, 1, 2), labels, names=["x", "y", "z"])


@tool("datasets", "PIL.Image")
def hub(ds, Image):
    colour = pictures(20, 5, 4, 3)
    features = ds.Features({"image": ds.Image(), "label": ds.ClassLabel(names=["cat", "dog", "eel"])})
    made = ds.Dataset.from_dict({"image": [Image.fromarray(x) for x in colour], "label": labels.tolist()}, features)
    made.to_parquet(str(folder("datasets/parquet") / "train-00000-of-00001.parquet"))
    expect("datasets/parquet", colour.transpose(0, 3, 1, 2), labels, names=["cat", "dog", "eel"])


@tool("PIL.Image")
def modes(Image):
    colour, grey = pictures(6, 5, 4, 3), pictures(6, 5, 4)

    def images(name, make, tolerance=0):
        """`make` gives an image, how it is saved, and what should be seen of it: [C, H, W]."""
        path, values = folder(f"pil/{name}"), []
        for i in range(6):
            image, how, seen = make(i)
            (path / "ab"[i % 2]).mkdir(exist_ok=True)
            image.save(path / "ab"[i % 2] / f"{i}.{name.split('-')[0]}", **how)
            values.append(seen)
        order = [0, 2, 4, 1, 3, 5]
        expect(f"pil/{name}", np.stack([values[i] for i in order]), [0, 0, 0, 1, 1, 1], names=["a", "b"],
               tolerance=tolerance)

    first = lambda x: x.transpose(2, 0, 1) if x.ndim == 3 else x[None]
    as_read = lambda image: first(np.asarray(image.convert("L" if image.mode in "1L" else "RGB")))

    def converted(mode, **how):
        def make(i):
            image = Image.fromarray(grey[i] if mode in ("1", "L") else colour[i])
            image = image.quantize(16) if "bits" in how else image.convert(mode)
            return image, how, as_read(image)
        return make

    def on_white(mode, **how):
        def make(i):
            image = Image.fromarray(pictures(1, 5, 4, 4)[0], "RGBA").convert(mode)
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image.convert("RGBA"))
            return image, how, as_read(white.convert("L" if mode == "LA" else "RGB"))
        return make

    def turned(orientation):
        def make(i):
            image, exif = Image.fromarray(colour[i]), Image.Exif()
            exif[0x112] = orientation
            file = io.BytesIO()
            image.save(file, "png", exif=exif)
            from PIL import ImageOps
            return image, dict(exif=exif), as_read(ImageOps.exif_transpose(Image.open(file)))
        return make

    def lossy(mode, **how):
        def make(i):
            image = Image.fromarray(colour[i]).convert(mode)
            file = io.BytesIO()
            image.save(file, "jpeg", **how)
            return image, how, as_read(Image.open(file))
        return make

    def see_through(i):
        image = Image.fromarray(colour[i]).quantize(8)
        seen = np.asarray(image.convert("RGB")).copy()
        seen[np.asarray(image) == 3] = 255
        return image, dict(transparency=3), first(seen)

    def sixteen(i):
        values = random.integers(0, 65536, (5, 4), dtype=np.uint16)
        values[0, 0] = 65535
        return Image.frombytes("I;16", (4, 5), values.tobytes()), {}, values[None] / 65535

    for mode in ("1", "L", "P", "RGB"):
        images(f"png-{mode}", converted(mode))
    images("png-4-bits", converted("P", bits=4))
    images("png-optimised", converted("RGB", optimize=True))
    images("png-transparent-palette", see_through)
    images("png-LA", on_white("LA"), 1)
    images("png-RGBA", on_white("RGBA"), 1)
    images("png-16", sixteen, 1e-7)
    images("tiff-16", sixteen, 1e-7)
    for orientation in range(1, 9):
        images(f"png-turned-{orientation}", turned(orientation))
    for name, how in {"": {}, "-lzw": dict(compression="tiff_lzw"), "-deflate": dict(compression="tiff_deflate")}.items():
        for mode in ("1", "L", "P", "RGB"):
            images(f"tiff-{mode}{name}", converted(mode, **how))
    images("gif-L", converted("L"))
    images("gif-P", converted("P"))
    images("webp-lossless", converted("RGB", lossless=True))
    for mode in ("L", "RGB"):
        images(f"jpeg-{mode}", lossy(mode, quality=95), 2)
        images(f"jpeg-{mode}-progressive", lossy(mode, quality=95, progressive=True), 2)
    images("jpeg-whole-colours", lossy("RGB", quality=95, subsampling=0), 2)
    for kind, seen_as in ((np.float32, "float"), (np.int32, "int")):
        path = folder(f"pil/tiff-{seen_as}")
        for i in range(6):
            (path / "ab"[i % 2]).mkdir(exist_ok=True)
            Image.fromarray((grey[i] / (255 if kind is np.float32 else 1)).astype(kind)).save(path / "ab"[i % 2] / f"{i}.tiff")
        refuse(f"pil/{path.name}", "ERR_DATA", f"its pixels are of type {seen_as}, expected 8 or 16 bits: give the images as .npz")


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
    test_of = lambda part: (np.asarray(part.data)[:, None], np.asarray(part.targets)[:, 0])
    expect("torchvision/QMNIST/raw", *test_of(x), *test_of(x_test))

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


(root / "expected.json").write_text(json.dumps(dict(tools=tools, sets=expected)))
