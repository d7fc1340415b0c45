"""Writes what the fuzzers begin with, out of the tests' own files: `python3 seeds.py` in this folder."""

import hashlib
import json
import struct
import zipfile
from pathlib import Path

FIXTURES, CORPUS = Path("../fixtures"), Path("corpus")


def write(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


for name in ["vit", "qk_norm", "registers", "layer_scale", "torchvision"]:
    content = (FIXTURES / f"checkpoints/{name}.safetensors").read_bytes()
    write("safetensors", name, b"\0" + content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
for name in ["basic", "vgg"]:
    content = (FIXTURES / f"cnn/{name}.safetensors").read_bytes()
    write("safetensors", name, b"\0" + content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
with zipfile.ZipFile(FIXTURES / "checkpoints/vit_training.pth") as archive:
    pickle = next(name for name in archive.namelist() if name.endswith("data.pkl"))
    write("pickle", "training", b"\0" + archive.read(pickle))
write("pickle", "legacy", (FIXTURES / "checkpoints/vit_legacy.pth").read_bytes()[:6000])
for path in (FIXTURES / "pictures").iterdir():
    if path.suffix == ".zip":
        write("zip", path.stem, path.read_bytes())
    elif path.suffix in {".png", ".jpg", ".webp", ".gif"} and path.stat().st_size < 2000:
        write("picture", path.name, path.read_bytes())
described = ["timm.json", "hf_vit/config.json", "hf_deit/config.json", "hf_dinov2_registers/config.json"]
for name in described:
    write("description", name.replace("/", "_"), b"\0" + (FIXTURES / "checkpoints" / name).read_bytes())
write("description", "preprocessor", b"\1" + (FIXTURES / "checkpoints/hf_vit/preprocessor_config.json").read_bytes())
write("description", "index", b"\2" + (FIXTURES / "checkpoints/hf_shards/model.safetensors.index.json").read_bytes())
header = {"__metadata__": {"heirloom": "{}"}}
header["first.head.weight"] = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
header["seal"] = {"dtype": "U8", "shape": [32], "data_offsets": [24, 56]}
header = json.dumps(header).encode()
state = struct.pack("<Q", len(header)) + header + bytes(24)
write("sealed", "small", state + hashlib.sha256(state).digest())
# Row-major views, one behind the other.
views, offset = [], 0
shapes = [[1, 1, 4], [1, 5, 4], [4, 1, 2, 2], [4], [4], [4], [12, 4], [12], [4, 4], [4], [4], [4], [6, 4], [6], [4, 6], [4]]
for shape in [*shapes, [4], [4], [3, 4]]:
    strides = [1]
    for size in reversed(shape[1:]):
        strides.insert(0, strides[0] * size)
    views.append(b"\xff" + struct.pack("<i", offset) + bytes(strides))
    offset += strides[0] * shape[0]
write("strided", "row_major", b"".join(views))
write("strided", "transposed", b"".join(view[:5] + view[:4:-1] for view in views))
