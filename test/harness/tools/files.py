"""Arrays, tables, tensors and pictures in the files of the tools that people write these with."""

import csv
import io
import json

import numpy as np

from common import expect, folder, labels, pictures, test_labels, tool


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
            # Truths are black and white.
            expect(f"npy/{path.name}", seen * 255 if kind == "|b1" else seen, y.astype(int))
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
                expect(f"{name}/set.mat", seen.astype(np.float32) * (255 if kind == "bool" else 1), labels)


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
        expect(f"safetensors/{kind}/set.safetensors", stored.astype(np.float32) * (255 if kind == "bool" else 1),
               labels % 2 if kind == "bool" else labels)


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
