"""Opens a zoo of tiny random models by the command line and compares its answers with PyTorch's.

Every name of timm's Vision Transformers, and the vision models of transformers, at two layers and a few channels, saved
as their library saves them. Per model it says `right` (scores within 1e-4 of the largest, and attention distances),
`left out` (a classifier, with the sentence), `refused` (with the sentence), `WRONG` or `PANIC`. With `--bare` the
description beside the weights is left away: then `told` is another answer with a sentence on what was assumed.

    python tests/python/zoo.py target/debug/heirloom-cli --only vit_ --table zoo.json

Needs torch, timm 1.0.31, transformers 5.24.0, safetensors, numpy.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import tempfile

import numpy
import safetensors.torch
import timm
import torch

MODULES = ("vision_transformer", "deit", "beit", "eva")
TOLERANCE = 1e-4


def randomise(model, seed):
    """No norm at one, no bias at zero: a tensor that is left out must be seen."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            number = torch.rand(parameter.shape, generator=generator) - 0.5
            parameter.copy_(1 + 0.4 * number if is_scale(model, parameter) else 0.3 * number)
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(name.endswith("var") + 0.4 * (torch.rand(buffer.shape, generator=generator) - 0.5))


def is_scale(model, parameter):
    cached = getattr(model, "_scales", None)
    if cached is None:
        ends = ("gamma", "lambda1", "gamma_1", "gamma_2")
        cached = {
            id(one)
            for name, one in model.named_parameters()
            if one.dim() == 1 and (name.endswith(ends) or "norm" in name and name.endswith("weight"))
        }
        object.__setattr__(model, "_scales", cached)
    return id(parameter) in cached


def head_dim(name):
    """Channels of a head of the model at its own size, from its constructor's arguments."""
    seen = {}
    classes = [timm.models.vision_transformer.VisionTransformer, timm.models.deit.VisionTransformerDistilled,
               timm.models.beit.Beit, timm.models.eva.Eva]
    kept = [one.__init__ for one in classes]

    def spy(self, *_, **arguments):
        seen.update(arguments)
        raise InterruptedError

    try:
        for one in classes:
            one.__init__ = spy
        timm.create_model(name)
    except InterruptedError:
        pass
    finally:
        for one, init in zip(classes, kept):
            one.__init__ = init
    return seen.get("embed_dim", 768) // seen.get("num_heads", 12), seen


def timm_model(name):
    size, seen = head_dim(name)
    patch = seen.get("patch_size", 16)
    patch = patch if isinstance(patch, int) else patch[0]
    arguments = {"depth": 2, "num_heads": 2, "embed_dim": 2 * size, "num_classes": 5, "img_size": 3 * patch}
    if "num_kv_heads" in seen:
        # Some layers of some sizes share keys and values.
        arguments["num_kv_heads"] = (2, 2 if set(seen["num_kv_heads"]) == {seen["num_heads"]} else 1)
    model = timm.create_model(name, **arguments)
    return model, arguments


def pictures_of(side):
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(3)) * 2 - 1


def watched(model, pictures):
    """What a model answers, and the queries, keys and biases of every attention on the first picture, as it uses them."""
    attend, seen = torch.nn.functional.scaled_dot_product_attention, []

    def watch(query, key, value, attn_mask=None, *more, **arguments):
        if query.shape[-2] == key.shape[-2]:
            bias = 0 if attn_mask is None else attn_mask.double().numpy()
            bias = bias[0] if getattr(bias, "ndim", 0) == 4 else bias
            seen.append((query[0].double().numpy(), key[0].double().numpy(), bias))
        return attend(query, key, value, attn_mask, *more, **arguments)

    torch.nn.functional.scaled_dot_product_attention = watch
    try:
        with torch.no_grad():
            return model(pictures), seen
    finally:
        torch.nn.functional.scaled_dot_product_attention = attend


def distances(seen, patch, grid=3):
    """Mean attention distance of every head, px: what a patch attends to among the patches, by how far it lies away."""
    places = numpy.array([(place % grid, place // grid) for place in range(grid * grid)], float)
    apart = patch * numpy.linalg.norm(places[:, None] - places[None], axis=-1)
    layers = []
    for query, key, bias in seen:
        scores = query @ key.transpose(0, 2, 1) / query.shape[-1] ** 0.5 + bias
        shares = numpy.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        prefix = scores.shape[-1] - grid * grid
        layers.append((shares[:, prefix:, prefix:] * apart).sum(-1).mean(-1).tolist())
    return layers


def timm_case(name, folder):
    model, arguments = timm_model(name)
    randomise(model, 7)
    model.eval()
    safetensors.torch.save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")
    # What timm writes beside the weights of a model of its own; heads and activation have to come from the name.
    side = arguments["img_size"]
    config = {"architecture": name, "num_classes": 5, "num_features": model.num_features,
              "global_pool": getattr(model, "global_pool", ""), "pretrained_cfg": {"input_size": [3, side, side]}}
    (folder / "config.json").write_text(json.dumps(config))
    pictures = pictures_of(side)
    answer, seen = watched(model, pictures)
    return pictures, answer, distances(seen[:2], side // 3)


def transformers_cases():
    import transformers as t

    size = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=12,
                patch_size=4)
    labels = dict(num_labels=5)
    def of(config, model, **more):
        return lambda: getattr(t, model)(getattr(t, config)(**size, **more))
    beit, data2vec = "BeitForImageClassification", "Data2VecVisionForImageClassification"
    own, shared = dict(use_relative_position_bias=True), dict(use_shared_relative_position_bias=True)
    absolute = dict(use_absolute_position_embeddings=True)
    return {
        "hf_vit": of("ViTConfig", "ViTForImageClassification", **labels),
        "hf_vit_tanh": of("ViTConfig", "ViTForImageClassification", hidden_act="gelu_pytorch_tanh", **labels),
        "hf_vit_relu": of("ViTConfig", "ViTForImageClassification", hidden_act="relu", **labels),
        "hf_vit_msn": of("ViTMSNConfig", "ViTMSNForImageClassification", **labels),
        "hf_deit": of("DeiTConfig", "DeiTForImageClassificationWithTeacher", **labels),
        "hf_deit_alone": of("DeiTConfig", "DeiTForImageClassification", **labels),
        "hf_ijepa": of("IJepaConfig", "IJepaForImageClassification", **labels),
        "hf_dinov2": of("Dinov2Config", "Dinov2Model"),
        "hf_dinov2_classifier": of("Dinov2Config", "Dinov2ForImageClassification", **labels),
        "hf_dinov2_giant": of("Dinov2Config", "Dinov2Model", use_swiglu_ffn=True),
        "hf_dinov2_registers": of("Dinov2WithRegistersConfig", "Dinov2WithRegistersModel"),
        "hf_dinov2_registers_classifier": of("Dinov2WithRegistersConfig", "Dinov2WithRegistersForImageClassification",
                                             **labels),
        "hf_beit": of("BeitConfig", beit, **labels, **own),
        "hf_beit_shared": of("BeitConfig", beit, **labels, **shared),
        "hf_beit_both": of("BeitConfig", beit, **labels, **own, **shared),
        "hf_beit_absolute": of("BeitConfig", beit, **labels, **absolute),
        "hf_beit_cls": of("BeitConfig", "BeitModel", use_mean_pooling=False, **own),
        "hf_beit_nowhere": of("BeitConfig", beit, **labels),
        "hf_data2vec": of("Data2VecVisionConfig", data2vec, **labels, **own),
        "hf_data2vec_shared": of("Data2VecVisionConfig", data2vec, **labels, **shared),
        "hf_dinov3": of("DINOv3ViTConfig", "DINOv3ViTModel", num_register_tokens=4),
        "hf_dinov3_alone": of("DINOv3ViTConfig", "DINOv3ViTModel"),
        "hf_dinov3_gated": of("DINOv3ViTConfig", "DINOv3ViTModel", num_register_tokens=4, use_gated_mlp=True,
                              hidden_act="silu", rope_theta=50.0, key_bias=True),
        "hf_clip": of("CLIPVisionConfig", "CLIPVisionModel"),
        "hf_clip_gelu": of("CLIPVisionConfig", "CLIPVisionModel", hidden_act="gelu"),
        "hf_siglip": of("SiglipVisionConfig", "SiglipVisionModel"),
        "hf_vit_mae": of("ViTMAEConfig", "ViTMAEForPreTraining", mask_ratio=0.0, decoder_hidden_size=16,
                         decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=32),
        "hf_resnet": lambda: t.ResNetForImageClassification(t.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], layer_type="basic", **labels)),
        "hf_resnet_bottleneck": lambda: t.ResNetForImageClassification(t.ResNetConfig(
            embedding_size=8, hidden_sizes=[16, 32], depths=[1, 2], **labels)),
    }


def transformers_case(make, folder):
    model = make()
    randomise(model, 7)
    model.eval()
    model.save_pretrained(folder)
    if model.config.model_type == "resnet":
        pictures = pictures_of(224)
        with torch.no_grad():
            return pictures, model(pictures).logits, []
    pictures = pictures_of(12)
    scores, seen = answered(model, pictures)
    return pictures, scores, distances(seen[:2], 4)


def answered(model, pictures):
    """Scores or, without a classifier, the feature; and what the attention saw."""
    kind, call = model.config.model_type, model
    if kind == "vit_mae":
        # In the order of the patches, of which none are masked.
        call = lambda images: model.vit(images, noise=torch.arange(9.0).repeat(2, 1))  # noqa: E731
    answer, seen = watched(call, pictures)
    logits = getattr(answer, "logits", None)
    if logits is None:
        has_cls = kind == "vit_mae" or "dinov" in kind
        logits = answer.last_hidden_state[:, 0] if has_cls else answer.pooler_output
    return logits, seen


def judge(cli, folder, pictures, expected, distance, bare):
    (folder / "pictures.f32").write_bytes(pictures.numpy().astype("<f4").tobytes())
    weights = folder / "zoo"
    weights.mkdir()
    for file in list(folder.iterdir()):
        if file.suffix == ".safetensors" or file.suffix == ".json" and not bare:
            file.rename(weights / file.name)
    ran = subprocess.run([cli, "logits", weights, folder / "pictures.f32"], capture_output=True, text=True, timeout=120)
    if ran.returncode:
        if ran.returncode < 0 or "panicked" in ran.stderr:
            return "PANIC", ran.stderr.strip()[-300:]
        return "refused", ran.stderr.strip().splitlines()[-1]
    answer = json.loads(ran.stdout)
    got, expected = numpy.array(answer["outputs"]), expected.numpy()
    said = answer["assumptions"]
    if answer["classes"] is None and got.shape != expected.shape:
        return "left out", "; ".join(said)
    if got.shape != expected.shape:
        return "WRONG", f"shape {got.shape} instead of {expected.shape}"
    far = float(numpy.abs(got - expected).max() / max(1.0, numpy.abs(expected).max()))
    # A convolutional network has no heads.
    far_heads = bool(distance) and answer["config"].get("num_heads") != len(distance[0])
    wide = float(numpy.abs(numpy.array(answer["distance"]) - distance).max()) if distance and not far_heads else 0.0
    words = f"{far:.1e}, distance {'of other heads' if far_heads else f'{wide:.1e}'}" + "".join(f"; {one}" for one in said)
    if far < TOLERANCE and wide < 1e-3 and not far_heads:
        return "right", words
    # That heads are assumed is no excuse for anything else.
    is_told = far_heads or any(" heads of " not in one for one in said)
    return ("told" if bare and is_told else "WRONG"), words


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cli")
    parser.add_argument("--only", default="", help="a part of the name")
    parser.add_argument("--bare", action="store_true", help="leaves the description beside the weights away")
    parser.add_argument("--table", help="writes all results there as JSON")
    options = parser.parse_args()
    cases = {name: (module, lambda folder, name=name: timm_case(name, folder))
             for module in MODULES for name in timm.list_models(module=module)}
    for name, make in transformers_cases().items():
        cases[name] = ("transformers", lambda folder, make=make: transformers_case(make, folder))
    results = {}
    for name, (module, build) in cases.items():
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            try:
                case = build(folder)
            except Exception as error:  # the library, not the project
                results[name] = (module, "not made", repr(error)[:160])
            else:
                results[name] = (module, *judge(options.cli, folder, *case, options.bare))
        print(name, *results[name][1:], flush=True)
    if options.table:
        pathlib.Path(options.table).write_text(json.dumps(results, indent=1))
    kinds = ("right", "told", "left out", "refused", "WRONG", "PANIC", "not made")
    print(f"\n{'':20}" + "".join(f"{kind:>10}" for kind in kinds))
    for module in (*MODULES, "transformers"):
        counts = collections.Counter(kind for where, kind, _ in results.values() if where == module)
        print(f"{module:20}" + "".join(f"{counts[kind]:10}" for kind in kinds))
    return any(kind in ("WRONG", "PANIC") for _, kind, _ in results.values())


if __name__ == "__main__":
    raise SystemExit(main())
