"""Trains the classroom ancestor on three sets of pictures at once, from the weights of an earlier one.

usage: python3 pretrain.py OUT_DIR --from FILE --cache CACHE_DIR --cifar DIR --drawings DIR --fashion DIR [--minutes M]

Needs what pictures.py left in CACHE_DIR. The folder of results receives `state.pt` (for --resume), `curve.jsonl` and
`classroom.safetensors`. The schedule runs by the clock, so that a training ends when it has to on whatever machine:
`--minutes` is its whole length, over all resumptions. SIGTERM saves and ends.
"""
import argparse
import json
import math
import os
import pathlib
import signal
import time

import numpy as np
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

import pictures
from judge import judge_all

GRID, PATCH, WIDTH = 8, 8, 192
# Gap that is wanted between the heads of a layer: half as much again as the clustering's threshold of 10/224.
WANTED_GAP = 15 / 224 * pictures.SIDE


def ancestor(file):
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=pictures.SIDE, patch_size=PATCH, embed_dim=WIDTH, depth=7, num_heads=6,
        class_token=False, global_pool="avg", fc_norm=True, num_classes=10,
    )
    model.load_state_dict({key: value.float() for key, value in load_file(file).items()})
    return model


def write_like(pattern, state, file):
    """Writes f16 weights with the very header of `pattern`: same names, shapes, places and description."""
    data = pathlib.Path(pattern).read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    out = bytearray(data)
    for key, entry in json.loads(data[8:end]).items():
        if key != "__metadata__":
            values = state[key].detach().cpu().half().numpy()
            assert list(values.shape) == entry["shape"] and entry["dtype"] == "F16" and np.isfinite(values).all(), key
            start, stop = entry["data_offsets"]
            out[end + start : end + stop] = values.tobytes()
    pathlib.Path(file).write_bytes(out)


def places(device):
    """Distances in px between the middles of patches, `[64, 64]`."""
    at = torch.arange(GRID, device=device, dtype=torch.float32) * PATCH
    at = torch.stack(torch.meshgrid(at, at, indexing="ij"), -1).view(-1, 2)
    return torch.cdist(at, at)


def forward(model, pixels, kept=None):
    """Tokens behind the last layer and the mean attention distance of every head, `[layers, heads]`. `kept` is the patches
    that each picture is seen through, `[n, patches]`: attention and mean pooling do not mind that others are missing."""
    patches = F.unfold(pixels, PATCH, stride=PATCH).transpose(1, 2)
    positions, apart = model.pos_embed.expand(len(pixels), -1, -1), places(pixels.device)
    if kept is not None:
        patches, positions = (x.gather(1, kept[..., None].expand(-1, -1, x.shape[2])) for x in (patches, positions))
        apart = apart[kept[:, :, None], kept[:, None, :]][:, None]
    x = F.linear(patches, model.patch_embed.proj.weight.flatten(1), model.patch_embed.proj.bias) + positions
    distances = []
    for block in model.blocks:
        attn = block.attn
        n, tokens, _ = x.shape
        q, k, v = attn.qkv(block.norm1(x)).view(n, tokens, 3, attn.num_heads, attn.head_dim).permute(2, 0, 3, 1, 4)
        looks = ((q * attn.scale) @ k.transpose(2, 3)).softmax(-1)
        distances.append((looks * apart).sum(-1).mean((0, 2)))
        x = x + attn.proj((looks @ v).transpose(1, 2).reshape(n, tokens, -1))
        x = x + block.mlp(block.norm2(x))
    return x, torch.stack(distances)


def apart_loss(distances):
    """How close the heads of a layer are, as apart.rs has it: 0 when all gaps are as wide as is wanted."""
    heads = distances.shape[1]
    gaps = (distances[:, :, None] - distances[:, None, :]).abs()
    close = (1 - gaps / WANTED_GAP).clamp_min(0).square() * (1 - torch.eye(heads, device=gaps.device))
    return close.sum((1, 2)).mean() / (heads * (heads - 1))


class Set(nn.Module):
    """Pictures of one kind, what is known of them, and the linear maps that the student answers with."""

    def __init__(self, name, pixels, labels, share, cache, device):
        super().__init__()
        self.name, self.share, self.device = name, share, device
        told = {part: cache / f"{name}.{part}.npy" for part in ("answers", "map", "mobilenet")}
        told = {part: torch.from_numpy(np.load(file)).to(device) for part, file in told.items() if file.exists()}
        count = min([len(labels)] + [len(part) for part in told.values()])
        self.pixels, self.labels, self.told = pixels[:count].to(device), labels[:count].to(device), told
        self.order = (None, None)
        # All are there from the beginning, so that a training may go on with a teacher that it began without.
        self.classify, self.map, self.features = (nn.Linear(WIDTH, out) for out in (int(labels.max()) + 1, 64, 96 + 320 + 1280))
        if "map" in told:
            some = told["map"][:2000].float()
            self.map_of = (some.mean((0, 2, 3)).view(-1, 1, 1), some.std((0, 2, 3)).view(-1, 1, 1))
        if "mobilenet" in told:
            some = told["mobilenet"].float()
            self.features_of = (some.mean(0), some.std(0) + 1e-2)

    def pick(self, step, batch, seed):
        """The pictures of a step: each set is gone through in an order drawn anew for every pass."""
        place, picks = step * batch + np.arange(batch), []
        for epoch in np.unique(place // len(self.labels)):
            if self.order[0] != epoch:
                key = [seed, int(epoch), len(self.labels)]
                self.order = (epoch, np.random.default_rng(key).permutation(len(self.labels)))
            picks.append(self.order[1][place[place // len(self.labels) == epoch] % len(self.labels)])
        return torch.from_numpy(np.concatenate(picks)).to(self.device)

    def boxes(self, count, draw):
        """Windows of 60 to 100 % of a picture, half of them mirrored; drawings and clothes, which stand on black, may also
        be made smaller."""
        side, low, high = self.pixels.shape[-1], 0.6, 1.0 if self.name == "cifar" else 1.2
        area = low + (high - low) * torch.rand(count, generator=draw)
        ratio = (math.log(1 / 0.85) * (2 * torch.rand(count, generator=draw) - 1)).exp()
        sides = side * torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 1)
        if self.name == "cifar":
            sides = sides.clamp_max(side)
        starts = torch.rand(count, 2, generator=draw) * (side - sides)
        mirrored = torch.rand(count, generator=draw) < 0.5
        starts[:, 0] = torch.where(mirrored, starts[:, 0] + sides[:, 0], starts[:, 0])
        sides[:, 0] = torch.where(mirrored, -sides[:, 0], sides[:, 0])
        return torch.cat([starts, sides], 1).to(self.device)

    def see(self, picks, boxes, draw):
        pixels = pictures.cut(self.pixels[picks], boxes, pictures.SIDE, background=self.name != "cifar")
        if self.name == "drawings":
            # Half of the drawings are turned by up to 15 degrees and pushed aside a little.
            turned = torch.rand(len(picks), generator=draw) < 0.5
            angle = (2 * torch.rand(int(turned.sum()), generator=draw) - 1) * math.pi / 12
            push = (2 * torch.rand(len(angle), 2, generator=draw) - 1) * 0.08
            cos, sin = angle.cos(), angle.sin()
            turn = torch.stack([cos, -sin, push[:, 0], sin, cos, push[:, 1]], 1).view(-1, 2, 3).to(self.device)
            grid = F.affine_grid(turn, [len(angle), 1, pictures.SIDE, pictures.SIDE], align_corners=False)
            turned = turned.nonzero().flatten().to(self.device)
            one = F.grid_sample(pixels[turned, :1], grid, mode="bicubic", align_corners=False).clamp(0, 1)
            pixels = pixels[:, :1].index_copy(0, turned, one).expand(-1, 3, -1, -1)
        return pictures.normalise(pixels)

    def loss(self, tokens, means, picks, boxes, kept, args):
        """Labels, the teachers' answers, and the unexplained share of what the teachers' features are."""
        answers, labels = self.classify(means), self.labels[picks]
        loss = F.cross_entropy(answers, labels, label_smoothing=args.smoothing)
        right = (answers.argmax(1) == labels).float().mean()
        if "answers" in self.told:
            soft = (self.told["answers"][picks].float() / 2).softmax(1)
            loss = loss / 2 + 2 * F.cross_entropy(answers / 2, soft)
        if "map" in self.told:
            teacher = (self.told["map"][picks].float() - self.map_of[0]) / self.map_of[1]
            scale = teacher.shape[-1] / self.pixels.shape[-1]
            teacher = pictures.window(teacher, boxes * scale, GRID).flatten(2).transpose(1, 2)
            if kept is not None:
                teacher = teacher.gather(1, kept[..., None].expand(-1, -1, teacher.shape[2]))
            loss = loss + args.map * F.mse_loss(self.map(F.layer_norm(tokens, [WIDTH])), teacher)
        if "mobilenet" in self.told:
            teacher = (self.told["mobilenet"][picks].float() - self.features_of[0]) / self.features_of[1]
            loss = loss + args.features * F.mse_loss(self.features(means), teacher.clamp(-4, 4))
        return loss, right


def rate(progress, args):
    """Cosine to 0 after a short linear rise, by the share of the time that has gone by."""
    if progress < args.warmup:
        return args.lr * progress / args.warmup
    return args.lr * 0.5 * (1 + math.cos(math.pi * min(1, (progress - args.warmup) / (1 - args.warmup))))


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--from", dest="start", required=True, help="weights to start from; also the pattern of the file")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="what pictures.py wrote")
    for name in ("cifar", "drawings", "fashion"):
        parser.add_argument(f"--{name}", required=True, help="folder, as pictures.py takes it")
    parser.add_argument("--samples", help="folder of the shipped samples, reported on the way")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--shares", type=int, nargs=3, default=[32, 24, 8], help="CIFAR-10, drawings, clothes of a step")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--warmup", type=float, default=0.03, help="share of the time")
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--map", type=float, default=2.0, help="weight of the ResNet's last map")
    parser.add_argument("--features", type=float, default=2.0, help="weight of the MobileNet's features")
    parser.add_argument("--apart", type=float, default=5.0, help="weight of the term that keeps heads apart")
    parser.add_argument("--seen", type=int, default=24, help="patches that are seen of a picture")
    parser.add_argument("--seen-until", type=float, default=0.75, help="share of the time; then all are")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--log-every", type=int, default=20, help="steps")
    parser.add_argument("--save-every", type=float, default=3, help="minutes")
    parser.add_argument("--judge-every", type=float, default=15, help="minutes; 0: never")
    return parser.parse_args()


def main():
    args = options()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    read = [pictures.read_cifar(args.cifar, True), pictures.read_drawings(args.drawings)[:2], pictures.read_clothes(args.fashion, True)]
    sets = nn.ModuleList(
        Set(name, *read, share, args.cache, args.device)
        for name, read, share in zip(("cifar", "drawings", "clothes"), read, args.shares)
    ).to(args.device)
    model = ancestor(args.start).to(args.device)
    sets[0].classify = model.head  # CIFAR-10's classifier is the one that ships.
    both = nn.ModuleList([model, sets])
    # Vectors and positions are not decayed.
    groups = [[], []]
    for name, parameter in both.named_parameters():
        groups[parameter.dim() < 2 or "pos_embed" in name].append(parameter)
    groups = [{"params": groups[0], "weight_decay": args.decay}, {"params": groups[1], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.98), fused=True)
    step, seconds = 0, 0.0
    if args.resume and (args.out / "state.pt").exists():
        state = torch.load(args.out / "state.pt", map_location=args.device, weights_only=True)
        both.load_state_dict(state["weights"])
        optimiser.load_state_dict(state["optimiser"])
        step, seconds = state["step"], state["seconds"]
    curve = open(args.out / "curve.jsonl", "a")

    def note(line):
        line = {"step": step, "seconds": round(seconds, 1), **line}
        print(json.dumps(line), file=curve, flush=True)
        print(json.dumps(line), flush=True)

    def save():
        state = {"weights": both.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "seconds": seconds}
        torch.save(state, args.out / "state.part")
        os.replace(args.out / "state.part", args.out / "state.pt")
        write_like(args.start, model.state_dict(), args.out / "classroom.safetensors")

    def judge(last=False):
        with torch.no_grad():
            note({"judged": judge_all(model, forward, args, quick=not last)})

    note({"teachers": {one.name: sorted(one.told) for one in sets}, "used": {one.name: len(one.labels) for one in sets}})
    note({"options": {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in vars(args).items()
                      if key in ("minutes", "shares", "lr", "warmup", "decay", "smoothing", "map", "features", "apart", "seen", "seen_until", "seed")}})
    asked_to_stop = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.append(True))
    clock = time.monotonic()
    saved = judged = seconds
    sums, summed = {}, 0
    while seconds < 60 * args.minutes and not asked_to_stop:
        progress = seconds / (60 * args.minutes)
        for group in optimiser.param_groups:
            group["lr"] = rate(progress, args)
        draw = torch.Generator().manual_seed(args.seed * 10_000_000 + step)
        picks = [one.pick(step, one.share, args.seed) for one in sets]
        boxes = [one.boxes(one.share, draw) for one in sets]
        pixels = torch.cat([one.see(pick, box, draw) for one, pick, box in zip(sets, picks, boxes)])
        kept = None
        if progress < args.seen_until:
            kept = torch.rand(len(pixels), GRID * GRID, generator=draw).argsort(1)[:, : args.seen].to(args.device)
        tokens, distances = forward(model, pixels, kept)
        means = model.fc_norm(tokens.mean(1))
        close = apart_loss(distances)
        loss, at = args.apart * close, 0
        for one, pick, box in zip(sets, picks, boxes):
            part = slice(at, at + one.share)
            own, right = one.loss(tokens[part], means[part], pick, box, None if kept is None else kept[part], args)
            loss, at = loss + own * one.share / len(pixels), part.stop
            for name, value in ((f"{one.name}_loss", own), (f"{one.name}_right", right)):
                sums[name] = sums.get(name, 0) + value.detach()
        sums["close"] = sums.get("close", 0) + close.detach()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimiser.step()
        step, summed = step + 1, summed + 1
        # Judging is not counted, so that a schedule does not depend on how often it is looked at.
        seconds += time.monotonic() - clock
        clock = time.monotonic()
        if step % args.log_every == 0:
            lately = {name: round(value.item() / summed, 4) for name, value in sums.items()}
            note({"lr": round(rate(progress, args), 7), "pictures": step * len(pixels), **lately})
            sums, summed = {}, 0
        if seconds - saved > 60 * args.save_every:
            saved = seconds
            save()
        if args.judge_every and seconds - judged > 60 * args.judge_every:
            judged = seconds
            judge()
        clock = time.monotonic()
    save()
    if args.judge_every and not asked_to_stop:
        judge(last=True)


if __name__ == "__main__":
    main()
