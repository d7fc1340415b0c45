"""Checks that exports mean the same elsewhere as here.

usage: python3 check_export.py FOLDER [--only numpy|timm|onnx]

FOLDER holds cases that `cargo test exports` wrote: NAME.json (pictures and our own scores), NAME.safetensors,
NAME.zip (the package) and NAME.onnx. NumPy is needed: a forward pass in it reads the safetensors file of every Vision
Transformer and of every stitched pair of them. Where timm is installed, it loads single ones too, with strict=True, by
the very lines of Python that the package's README.txt gives, and the packages of its own shapes by the one line. Where
onnx and onnxruntime are installed, they check and run the graphs.
"""
import argparse
import importlib.util
import json
import math
import pathlib
import re
import struct
import sys
import tempfile
import zipfile

import numpy as np

TOLERANCE = 1e-4


def read_safetensors(path):
    """Tensors by key, and the metadata."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    body = data[8 + length :]
    tensors = {}
    for key, entry in header.items():
        start, end = entry["data_offsets"]
        tensors[key] = np.frombuffer(body[start:end], np.float32).reshape(entry["shape"])
    return tensors, metadata


def usual_names(tensors):
    """Under the names of timm's VisionTransformer what its Eva and Beit call otherwise."""
    tensors = {re.sub(r"\.gamma_(\d)$", r".ls\1.gamma", key): value for key, value in tensors.items()}
    for key in list(tensors):
        if key.endswith(".q_bias"):
            query, value = tensors.pop(key), tensors.pop(key.replace("q_bias", "v_bias"))
            tensors[key.replace("q_bias", "qkv.bias")] = np.concatenate([query, np.zeros_like(query), value])
        elif ".fc1_g." in key:
            gate, value = tensors.pop(key), tensors.pop(key.replace("fc1_g", "fc1_x"))
            tensors[key.replace("fc1_g", "fc1")] = np.concatenate([gate, value])
        elif key == "rope.freqs":
            for layer, freqs in enumerate(tensors.pop(key).swapaxes(0, 1)):
                tensors[f"blocks.{layer}.attn.rope_freqs"] = freqs
    return tensors


class NumpyVit:
    """A Vision Transformer in double precision, from the file's own description."""

    def __init__(self, tensors, config):
        tensors = usual_names(tensors)
        self.config, self.unused = config, set(tensors)
        self.tensors = {key: value.astype(np.float64) for key, value in tensors.items()}

    def get(self, key):
        self.unused.discard(key)
        return self.tensors[key]

    def linear(self, x, key, bias=True):
        y = x @ self.get(f"{key}.weight").T
        return y + self.get(f"{key}.bias") if bias else y

    def norm(self, x, key):
        if self.option("rms_norm", False):
            return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.config["norm_eps"]) * self.get(f"{key}.weight")
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) / np.sqrt(var + self.config["norm_eps"]) * self.get(f"{key}.weight") + self.get(f"{key}.bias")

    def option(self, name, usual):
        return self.config.get("options", {}).get(name, usual)

    def activate(self, x, activation=None):
        sigmoid = lambda x: 1 / (1 + np.exp(-x))
        return {
            "gelu": lambda: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
            "gelu_tanh": lambda: x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
            "quick_gelu": lambda: x * sigmoid(1.702 * x),
            "silu": lambda: x * sigmoid(x),
            "relu": lambda: np.maximum(x, 0),
        }[activation or self.option("activation", "gelu")]()

    def embed(self, pictures):
        x = self.placed(pictures)
        return self.norm(x, "norm_pre") if self.option("pre_norm", False) else x

    def placed(self, pictures):
        c, (batch, channels, size, _) = self.config, pictures.shape
        patch, width = c["patch_size"], c["embed_dim"]
        grid = size // patch
        cut = pictures.reshape(batch, channels, grid, patch, grid, patch).transpose(0, 2, 4, 1, 3, 5)
        weight = self.get("patch_embed.proj.weight").reshape(width, -1)
        patches = cut.reshape(batch, grid * grid, -1) @ weight.T
        if self.option("patch_bias", True):
            patches = patches + self.get("patch_embed.proj.bias")
        if self.option("patch_norm", False):
            patches = self.norm(patches, "patch_embed.norm")
        front = [key for key, there in (("cls_token", c["cls_token"]), ("dist_token", c["distilled"])) if there]
        front = [np.repeat(self.get(key), batch, 0) for key in front]
        registers = [np.repeat(self.get("reg_token"), batch, 0)] if c["register_tokens"] else []
        if not self.option("pos_embed", True):
            return np.concatenate([*front, *registers, patches], 1)
        if not c["pos_embed_prefix"]:
            return np.concatenate([*front, *registers, patches + self.get("pos_embed")], 1)
        tokens = np.concatenate([*front, patches], 1) + self.get("pos_embed")
        return np.concatenate([tokens[:, : len(front)], *registers, tokens[:, len(front) :]], 1)

    def attention(self, x, key):
        c, (batch, count, _) = self.config, x.shape
        qkv = self.linear(x, f"{key}.qkv", c["qkv_bias"])
        q, k, v = qkv.reshape(batch, count, 3, c["num_heads"], c["head_dim"]).transpose(2, 0, 3, 1, 4)
        if c["qk_norm"]:
            q, k = self.norm(q, f"{key}.q_norm"), self.norm(k, f"{key}.k_norm")
        if rope := self.option("rope", None):
            freqs = self.get(f"{key}.rope_freqs") if rope["grid"] == "learned" else None
            q, k = self.turn(q, rope, freqs), self.turn(k, rope, freqs)
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(c["head_dim"])
        if self.option("relative_bias", False):
            scores = scores + self.relative_bias(f"{key}.relative_position_bias_table", count)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (shares / shares.sum(-1, keepdims=True) @ v).transpose(0, 2, 1, 3).reshape(batch, count, -1)
        if self.option("attn_norm", False):
            mixed = self.norm(mixed, f"{key}.norm")
        return self.linear(mixed, f"{key}.proj", self.option("proj_bias", True))

    def turn(self, x, rope, freqs):
        """Pairs of channels as complex numbers, turned by an angle a patch."""
        c, grid = self.config, self.config["image_size"] // self.config["patch_size"]
        bands, pairs = c["head_dim"] // 4, c["head_dim"] // 2
        if rope["grid"] in ("centred", "learned"):
            places = 2 * math.pi * ((np.arange(grid) + 0.5) / grid * 2 - 1)
        else:
            index = rope["grid"]["index"]
            places = (np.arange(grid) + index["offset"]) * ((index["reference"] or grid) / grid)
        angles = places[:, None] / rope["temperature"] ** (np.arange(bands) / bands)
        rows, columns = np.repeat(angles, grid, 0), np.tile(angles, (grid, 1))
        angles = np.concatenate([columns, rows] if rope["columns_first"] else [rows, columns], 1)
        if freqs is not None:
            row, column = np.divmod(np.arange(grid * grid), grid)
            angles = column[:, None] * freqs[0][:, None] + row[:, None] * freqs[1][:, None]
        one, other = (x[..., :pairs], x[..., pairs:]) if rope["halves"] else (x[..., ::2], x[..., 1::2])
        turned = one + 1j * other
        turned[..., -grid * grid :, :] *= np.exp(1j * angles)
        if rope["halves"]:
            return np.concatenate([turned.real, turned.imag], -1)
        return np.stack([turned.real, turned.imag], -1).reshape(x.shape)

    def relative_bias(self, key, count):
        table, grid = self.get(key), math.isqrt(count - 1)
        bias, steps = np.empty((table.shape[1], count, count)), (2 * grid - 1) ** 2
        bias[:, 0, :], bias[:, :, 0] = table[steps][:, None], table[steps + 1][:, None]
        bias[:, 0, 0] = table[steps + 2]
        places = [divmod(patch, grid) for patch in range(grid * grid)]
        for query, (down, right) in enumerate(places):
            for other, (row, column) in enumerate(places):
                step = (down - row + grid - 1) * (2 * grid - 1) + right - column + grid - 1
                bias[:, 1 + query, 1 + other] = table[step]
        return bias

    def block(self, x, key):
        scaled = (1, 2)[: 2 - self.option("attn_only_layer_scale", False)] if self.config["layer_scale"] else ()
        scale = lambda n: self.get(f"{key}.ls{n}.gamma") if n in scaled else 1.0
        bias = self.option("proj_bias", True)
        x = x + self.attention(self.norm(x, f"{key}.norm1"), f"{key}.attn") * scale(1)
        hidden = self.linear(self.norm(x, f"{key}.norm2"), f"{key}.mlp.fc1", bias)
        if self.option("gated", False):
            gate, value = np.split(hidden, 2, -1)
            hidden = self.activate(gate) * value
        else:
            hidden = self.activate(hidden)
        if self.option("mlp_norm", False):
            hidden = self.norm(hidden, f"{key}.mlp.norm")
        return x + self.linear(hidden, f"{key}.mlp.fc2", bias) * scale(2)

    def asked(self, x):
        """A learned query's answer to all tokens, and what follows it."""
        if not self.option("rope", None):
            x = x[:, self.config["cls_token"] + self.config["distilled"] + self.config["register_tokens"] :]
        pool, (batch, count, width) = self.option("attn_pool", None), x.shape
        heads = pool["heads"]
        query = self.linear(self.get("attn_pool.latent"), "attn_pool.q").reshape(heads, 1, width // heads)
        kv = self.linear(x, "attn_pool.kv").reshape(batch, count, 2, heads, -1).transpose(2, 0, 3, 1, 4)
        scores = query @ kv[0].transpose(0, 1, 3, 2) / math.sqrt(width // heads)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (shares / shares.sum(-1, keepdims=True) @ kv[1]).reshape(batch, width)
        answer = self.linear(mixed, "attn_pool.proj")
        hidden = self.linear(self.norm(answer, "attn_pool.norm"), "attn_pool.mlp.fc1")
        hidden = self.activate(hidden, "gelu" if self.option("rope", None) else None)
        return answer + self.linear(hidden, "attn_pool.mlp.fc2")

    def blocks(self, x, layers):
        for layer in layers:
            x = self.block(x, f"blocks.{layer}")
        return x

    def __call__(self, pictures):
        return self.answer(self.blocks(self.embed(pictures.astype(np.float64)), range(self.config["depth"])))

    def answer(self, x):
        c, final = self.config, self.option("final_norm", "usual")
        is_mean = c["pool"] == "avg"
        if final == "tokens" or final == "usual" and not is_mean:
            x = self.norm(x, "norm")
        pooled = x[:, 0]
        if is_mean:
            pooled = x[:, c["cls_token"] + c["distilled"] + c["register_tokens"] :].mean(1)
            pooled = self.norm(pooled, "fc_norm") if final == "usual" else pooled
        if c["pool"] == "map":
            pooled = self.asked(x)
        elif c["pool"] == "clsavg":
            pooled = np.concatenate([x[:, 0], x[:, c["cls_token"] + c["register_tokens"] :].mean(1)], 1)
        if c["classes"] is None:
            return pooled
        scores = self.linear(pooled, "head")
        return (scores + self.linear(x[:, 1], "head_dist")) / 2 if c["distilled"] and self.option("dist_head", True) else scores


class NumpyStitched:
    """The first layers of one Vision Transformer, a linear layer, the last layers of another."""

    def __init__(self, tensors, config):
        part = lambda name: {key.partition(".")[2]: value for key, value in tensors.items() if key.startswith(f"{name}.")}
        self.config, self.stitch = config, part("stitch")
        self.front, self.end = (NumpyVit(part(name), config[name]) for name in ("front", "end"))

    @property
    def unused(self):
        return self.front.unused | self.end.unused | set(self.stitch) - {"weight", "bias"}

    def __call__(self, pictures):
        x = self.front.embed(pictures.astype(np.float64))
        x = self.front.blocks(x, range(self.config["front_layer"] + 1))
        x = x @ self.stitch["weight"].T.astype(np.float64) + self.stitch["bias"]
        return self.end.answer(self.end.blocks(x, range(self.config["end_layer"], self.config["end"]["depth"])))


def by_numpy(case):
    # Convolutional networks are left to onnxruntime: NumPy has no convolution.
    if not (case.is_vit or case.is_stitched):
        return {}
    tensors, metadata = read_safetensors(case.path("safetensors"))
    description = json.loads(metadata["heirloom"])
    assert description.get("labels") == case.labels and description["preprocessing"] == case.preprocessing
    model = (NumpyStitched if case.is_stitched else NumpyVit)(tensors, description["config"])
    scores = model(case.pictures)
    assert not model.unused, f"tensors that the model does not use: {model.unused}"
    return {"NumPy": scores}


def by_timm(case):
    """The README's lines, and the one line for timm's own shapes. timm has no stitched model, so the README says nothing
    of it for Python."""
    if not (case.is_vit or case.is_mobile):
        return {}
    import timm
    import timm.data
    import torch

    pictures, found = torch.from_numpy(case.pictures), {}
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(case.path("zip")) as package, torch.no_grad():
        package.extractall(folder)
        readme = pathlib.Path(folder, "README.txt").read_text()
        lines = readme.split("In Python", 1)[1].splitlines()[1:]
        block = "\n".join(line[4:] for line in lines[: next(i for i, l in enumerate(lines) if l and l[0] != " ")])
        scope = {}
        exec(block.replace("model.safetensors", str(case.path("safetensors"))), scope)
        assert "strict=True" in block
        found["timm, README's lines"] = scope["model"](pictures).numpy()
        if "local-dir" in readme:
            model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
            found["timm, local-dir"] = model(pictures).numpy()
            data = timm.data.resolve_model_data_config(model)
            assert all(np.allclose(data[key], case.preprocessing[key]) for key in ("mean", "std")), data
            assert tuple(data["input_size"][1:]) == tuple(case.pictures.shape[2:]), data
            assert list(model.pretrained_cfg.get("label_names") or []) == (case.labels or []), model.pretrained_cfg
    return found


def by_onnx(case):
    import onnx
    import onnxruntime

    path = str(case.path("onnx"))
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 17
    kept = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(kept.get("labels", "null")) == case.labels
    for key in ("mean", "std"):
        assert np.allclose(json.loads(kept[key]), case.preprocessing[key]), (key, kept[key])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    run = lambda pictures: session.run(None, {"pixel_values": pictures})[0]
    alone = np.concatenate([run(case.pictures[i : i + 1]) for i in range(len(case.pictures))])
    return {"onnxruntime, batch 1": alone, f"onnxruntime, batch {len(case.pictures)}": run(case.pictures)}


class Case:
    def __init__(self, path):
        self.name, self.folder = path.stem, path.parent
        told = json.loads(path.read_text())
        self.pictures = np.array(told["pictures"], np.float32).reshape(told["shape"])
        self.scores = np.array(told["scores"], np.float32).reshape(len(self.pictures), told["outputs"])
        self.is_vit, self.is_stitched = "embed_dim" in told["config"], "front" in told["config"]
        # The first blocks of one have no `conv_head`.
        self.is_mobile = any(stage["block"] == "inverted" for stage in told["config"].get("stages", []))
        self.config, self.labels, self.preprocessing = told["config"], told.get("labels"), told["preprocessing"]

    def path(self, ending):
        return self.folder / f"{self.name}.{ending}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", choices=["numpy", "timm", "onnx"])
    wanted = parser.parse_args()
    there = lambda *names: all(importlib.util.find_spec(name) for name in names)
    ways = {"numpy": by_numpy}
    if there("timm", "torch", "safetensors"):
        ways["timm"] = by_timm
    if there("onnx", "onnxruntime"):
        ways["onnx"] = by_onnx
    if wanted.only:
        ways = {wanted.only: ways[wanted.only]}
    cases = [Case(path) for path in sorted(wanted.folder.glob("*.json"))]
    worst, failed = {}, 0
    for case in cases:
        for way in ways.values():
            for name, scores in way(case).items():
                # Scores of another shape could still be subtracted from ours.
                assert scores.shape == case.scores.shape, f"{case.name} by {name}: {scores.shape}, not {case.scores.shape}"
                difference = float(np.abs(scores - case.scores).max())
                worst.setdefault(name, []).append(difference)
                if not difference <= TOLERANCE:
                    failed += 1
                    print(f"FAILED: {case.name} by {name}: differs by {difference:.2e}, at most {TOLERANCE:.0e} is right")
    for name, differences in worst.items():
        print(f"{name}: {len(differences)} models, largest difference {max(differences):.2e}")
    if not cases:
        sys.exit(f"no cases in {wanted.folder}")
    if not worst:
        sys.exit(f"none of {len(cases)} models was compared")
    if failed:
        sys.exit(f"{failed} comparisons of {len(cases)} models differ")


if __name__ == "__main__":
    main()
