"""How well the classroom ancestor sees: frozen with a new classifier on other pictures, and on CIFAR-10's test pictures.

usage: python3 judge.py RESULTS.json FILE.safetensors... --cifar DIR --drawings DIR --fashion DIR --samples DIR
"""
import argparse
import io
import json
import pathlib
import zipfile

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit

import pictures


def read_sample(file):
    """A shipped zip, by class and name: `[n, 1, 28, 28]` u8, labels, and the classes."""
    with zipfile.ZipFile(file) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        pixels = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L")) for name in names])
    classes = sorted({name.split("/")[0] for name in names})
    return torch.from_numpy(pixels[:, None].copy()), torch.tensor([classes.index(name.split("/")[0]) for name in names]), classes


@torch.no_grad()
def means_of(model, forward, pixels, device, batch=100):
    """What the classifier sees of pictures: the normalised mean of the patches."""
    parts = []
    for at in range(0, len(pixels), batch):
        seen = pictures.normalise(pictures.judged(pixels[at : at + batch].to(device)))
        parts.append(model.fc_norm(forward(model, seen)[0].mean(1)).cpu())
    return torch.cat(parts)


def probe(means, labels, splits):
    """Accuracies of a logistic regression trained on four fifths of each class and judged on the rest, one a split."""
    split = StratifiedShuffleSplit(splits, test_size=0.2, random_state=0)
    means, labels, found = means.numpy(), labels.numpy(), []
    for train, test in split.split(means, labels):
        found.append(LogisticRegression(C=1.0, max_iter=2000).fit(means[train], labels[train]).score(means[test], labels[test]))
    return found


def told(found):
    spread = np.std(found, ddof=1) / len(found) ** 0.5 if len(found) > 1 else 0
    return [round(100 * float(np.mean(found)), 2), round(100 * float(spread), 2)]


def judge_all(model, forward, args, quick=False):
    """Per cent and its standard error over splits. `drawings` and `clothes` are for choosing (classes that are not shipped;
    the clothes' are those of the training, but test pictures); `shipped_*` and `cifar` are for reporting."""
    model.eval()
    found, splits = {}, 2 if quick else 8
    see = lambda pixels: means_of(model, forward, pixels, args.device)
    tasks = []
    for task in pictures.VALIDATION_DRAWINGS[: 2 if quick else 4]:
        pixels = [pictures.read_class(args.drawings, name)[:80] for name in task]
        labels = torch.cat([torch.full((len(one),), at) for at, one in enumerate(pixels)])
        tasks.append(np.array(probe(see(torch.cat(pixels)), labels, splits)))
    found["drawings"] = told(np.mean(tasks, 0))
    pixels, labels = pictures.read_clothes(args.fashion, False)
    some = torch.cat([(labels == label).nonzero().flatten()[:80] for label in range(5)])
    found["clothes"] = told(probe(see(pixels[some]), labels[some], splits))
    if args.samples:
        for name in ("doodles", "clothes"):
            pixels, labels, _ = read_sample(pathlib.Path(args.samples) / f"{name}.zip")
            found[f"shipped_{name}"] = told(probe(see(pixels), labels, splits))
    pixels, labels = pictures.read_cifar(args.cifar, False)
    pixels, labels = (pixels[:500], labels[:500]) if quick else (pixels, labels)
    with torch.no_grad():
        right = (model.head(see(pixels).to(args.device)).argmax(1).cpu() == labels).float()
    found["cifar"] = round(100 * right.mean().item(), 2)
    if not quick:
        found["cifar_by_class"] = {name: round(100 * right[labels == at].mean().item(), 1) for at, name in enumerate(pictures.CLASSES)}
    model.train()
    return found


@torch.no_grad()
def heads(model, forward, pixels):
    """Mean attention distances `[layers, heads]`, px, and the clusters of each layer: heads are sorted and cut at every gap
    that is wider than 10/224 of the picture's side."""
    distances = forward(model, pictures.normalise(pictures.judged(pixels)))[1]
    clusters = 1 + (distances.sort(1).values.diff(dim=1) > 10 / 224 * pictures.SIDE).sum(1)
    return distances, clusters.tolist()


def main():
    from pretrain import ancestor, forward

    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("files", nargs="+")
    for name in ("cifar", "drawings", "fashion", "samples"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results = {}
    for file in args.files:
        model = ancestor(file).to(args.device).eval()
        results[file] = judge_all(model, forward, args, args.quick)
        model.eval()
        for name in ("clothes", "doodles"):
            pixels, labels, classes = read_sample(pathlib.Path(args.samples) / f"{name}.zip")
            for count in (8, 10, 16, 32):
                # The first of every class, then the second, ...
                order = [(labels == at % len(classes)).nonzero().flatten()[at // len(classes)] for at in range(count)]
                distances, clusters = heads(model, forward, pixels[torch.stack(order)].to(args.device))
                results[file][f"heads_{name}_{count}"] = {"kept": sum(clusters), "share": round(sum(clusters) / distances.numel(), 3),
                    "clusters": clusters, "distances": [[round(one, 1) for one in layer] for layer in distances.tolist()]}
        args.results.write_text(json.dumps(results, indent=1) + "\n")
        print(file, json.dumps({key: value for key, value in results[file].items() if "heads" not in key}))
        for key, value in results[file].items():
            if "heads" in key:
                print(" ", key, value["kept"], value["share"], value["clusters"])


if __name__ == "__main__":
    main()
