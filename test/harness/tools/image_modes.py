"""Images of every mode, as Pillow writes and reads them."""

import io

import numpy as np

from common import expect, folder, pictures, random, refuse, tool


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
    for mode in ("1", "L", "P", "RGB"):
        images(f"bmp-{mode}", converted(mode))
    images("bmp-4-bits", converted("P", bits=4))
    images("bmp-RGBA", lambda i: (Image.fromarray(colour[i]).convert("RGBA"), {}, first(colour[i])))
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
