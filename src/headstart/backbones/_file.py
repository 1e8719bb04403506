"""A bare weights file as a backbone: its layout is recognised, its tensors are renamed, and the result is checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from headstart import _discover
from headstart.backbones._timm import Preparation, Timm
from headstart.errors import WeightsError

ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
NESTED = ("state_dict", "model", "model_state", "model_ema", "state_dict_ema", "teacher")  # where trainers put weights
GIGAFLOPS = {"1_6": "016", "3_2": "032", "8": "080", "16": "160", "32": "320", "128": "1280"}
SIZES = {"b": "base", "l": "large", "h": "huge"}
SAME = 1e-4  # of the largest feature: what two libraries' orders of summation may differ by


def from_file(path: Path, architecture: str | None = None) -> Timm:
    """The network of a weights file in timm's or torchvision's layout, its architecture recognised or given.

    Raises WeightsError where the file holds anything but tensors, or where no architecture has its tensors.
    """
    state = tensors(path)
    layouts = ((_torchvision, _torchvision_names, _from_torchvision), (_timm, _timm_names, _from_timm))
    for hinted in (True, False):  # first the architectures with which the file's own name begins
        for build, names, make in layouts:
            among = [
                n for n in names()
                if (n == architecture if architecture else path.name.lower().startswith(n) == hinted)
            ]  # fmt: skip
            if (name := _recognised(among, build, _modern(state))) is not None:
                return make(path, name, _modern(state))
    raise WeightsError(
        f"the {len(state)} tensors of {path} are not those of {architecture or 'a network that a family knows'}",
        expected="timm's or torchvision's layout",
        do=f"name the architecture: {architecture or 'resnet50'}@{path.name}",
    )  # fmt: skip


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pth file read without unpickling anything else."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        raw = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds; all mean that this is no plain file of tensors
        raise WeightsError(
            f"{path} cannot be read safely ({type(error).__name__})", expected="a file of tensors and nothing else",
            do="save model.state_dict() alone, best as .safetensors",
        ) from error  # fmt: skip
    for key in NESTED:
        if isinstance(raw, dict) and isinstance(raw.get(key), dict):
            raw = raw[key]
    if not isinstance(raw, dict) or not any(isinstance(v, Tensor) for v in raw.values()):
        raise WeightsError(f"{path} holds no tensors by name", expected="the state_dict of a network")
    return {k.removeprefix("module."): v for k, v in raw.items() if isinstance(v, Tensor)}


def _torchvision_names() -> list[str]:
    import torchvision

    return [n for n in torchvision.models.list_models(module=torchvision.models) if _families(timm_name(n))]


def _timm_names() -> list[str]:
    import timm

    return [n for n in timm.list_models() if _families(n)]


@cache
def _kinds() -> list[type[Timm]]:
    kinds = [_discover.load("backbones", n) for n in _discover.names("backbones")]
    return [k for k in kinds if issubclass(k, Timm)]


def _families(architecture: str) -> list[type[Timm]]:
    return [k for k in _kinds() if k.knows(architecture)]


def _family(architecture: str) -> type[Timm]:
    if found := _families(architecture):
        return found[0]
    raise WeightsError(f"no family knows {architecture!r}", expected="a VGG, ResNet, EfficientNet, ViT, ...")


def _recognised(names: list[str], build: Callable[[str, str], nn.Module], state: dict[str, Tensor]) -> str | None:
    """The first architecture whose tensors are in the file.

    Architectures of one kind have the same modules at the top, so one that has others rules out its whole kind.
    """
    parts, strange = {k.partition(".")[0] for k in state}, set()
    left = names
    for device in ("meta", "cpu"):  # torchvision's RegNet computes its widths with tensors, which "meta" cannot
        names, left = left, []
        for name in names:
            kind = re.split(r"\d", name)[0]
            if kind in strange:
                continue
            try:
                wanted = _weights(build(name, device))
            except NotImplementedError:
                left.append(name)
                continue
            if not {k.partition(".")[0] for k in wanted} <= parts:
                strange.add(kind)
            elif all(k in state and state[k].shape == v.shape for k, v in wanted.items()):
                return name
    return None


def _timm(name: str, device: str) -> Any:
    with torch.device(device):
        return _family(name).build(name).eval()


def _from_timm(path: Path, name: str, state: dict[str, Tensor]) -> Timm:
    model = _timm(name, "cpu")
    model.load_state_dict({k: v for k, v in state.items() if k in model.state_dict()})
    return _family(name)(model, f"{name}@{path}")


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}


def _torchvision(name: str, device: str) -> Any:
    """torchvision's network without its last linear layer."""
    import torchvision

    extra = {"aux_logits": False, "init_weights": False} if name == "inception_v3" else {}
    with torch.device(device):
        model = torchvision.models.get_model(name, weights=None, **extra).eval()
    linear = [n for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    if linear:
        model.set_submodule(linear[-1], nn.Identity())
    else:  # SqueezeNet
        model.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return model


def _modern(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's older DenseNet files say `norm.1` for what is `norm1` today."""
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.", r"\1\2.", k): v for k, v in state.items()}


def _from_torchvision(path: Path, name: str, state: dict[str, Tensor]) -> Timm:
    """timm's network with the weights of torchvision's, which stands beside it for a last comparison."""
    twin = _torchvision(name, "cpu")
    twin.load_state_dict({k: v for k, v in state.items() if k in twin.state_dict()}, strict=False)
    architecture = timm_name(name)
    family = _family(architecture)
    overlay, preparation = _transforms(path.name, name)
    model = family.build(architecture, pretrained_cfg_overlay=overlay).eval()
    model.load_state_dict(translate(family.renamed(state), model, twin), strict=False)
    with torch.no_grad():
        x = torch.randn(1, 3, preparation.size, preparation.size, generator=torch.Generator().manual_seed(0))
        ours, theirs = model(x), twin(x).flatten(1)
    if ours.shape != theirs.shape or (ours - theirs).abs().max() > SAME * theirs.abs().max():
        raise WeightsError(f"{path}: torchvision's {name} and timm's {architecture} differ with these weights")
    return family(model, f"{name}@{path}", licence="BSD-3-Clause", preparation=preparation)


def translate(state: dict[str, Tensor], model: nn.Module, twin: nn.Module | None = None) -> dict[str, Tensor]:
    """The tensors under the model's names: as they are called, or else in the order in which those of a size stand.

    Batch norms of `twin` (whose names `state` has) may add another epsilon to the variance; the difference is put
    into the variance itself.
    """
    wanted, found = _weights(model), {}
    left = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    for key, value in wanted.items():
        alike = (k for k, v in left.items() if v.numel() == value.numel() and v.shape[:1] == value.shape[:1])
        source = key if key in left and left[key].numel() == value.numel() else next(alike, None)
        if source is None:
            raise WeightsError(f"no tensor fits {key} {tuple(value.shape)}", expected=f"one of {type(model).__name__}")
        found[key] = left.pop(source).reshape(value.shape)
        if twin is not None and key.endswith("running_var"):
            ours = model.get_submodule(key.removesuffix(".running_var"))
            try:
                theirs: Any = twin.get_submodule(source.removesuffix(".running_var"))
            except AttributeError:  # the family renamed it, so that eps is the same by construction
                continue
            found[key] = found[key] + (theirs.eps - ours.eps)
    return found


def _transforms(file: str, name: str) -> tuple[dict[str, Any], Preparation]:
    """What torchvision's own entry for the file (or the first for the architecture) does to a picture."""
    import torchvision

    entries = list(torchvision.models.get_model_weights(name))
    own = next((e for e in entries if e.url.endswith(file)), entries[0]).transforms()
    mean, std = (list(own.mean), list(own.std)) if name != "inception_v3" else ([0.5] * 3, [0.5] * 3)
    size, resize, how = own.crop_size[0], own.resize_size[0], own.interpolation.value
    overlay = {"mean": mean, "std": std, "input_size": (3, size, size), "interpolation": how}
    return overlay, Preparation(size, resize, how)


def timm_name(name: str) -> str:
    """What timm calls an architecture of torchvision.

    >>> timm_name("mobilenet_v3_small"), timm_name("regnet_y_1_6gf"), timm_name("vit_b_16")
    ('mobilenetv3_small_100', 'regnety_016', 'vit_base_patch16_224')
    """
    import timm

    if m := re.fullmatch(r"regnet_([xy])_(?:(\d)00mf|(.+)gf)", name):
        plain = f"regnet{m[1]}_{'00' + m[2] if m[2] else GIGAFLOPS[m[3]]}"
        return f"{plain}_tv" if timm.is_model(f"{plain}_tv") else plain
    if m := re.fullmatch(r"vit_([blh])_(\d+)", name):
        return f"vit_{SIZES[m[1]]}_patch{m[2]}_224"
    if m := re.fullmatch(r"mnasnet(\d)_(\d+)", name):
        return f"mnasnet_{m[1]}{m[2]:0<2}"
    if name.startswith("mobilenet"):
        return f"{name.replace('_v', 'v')}_100"
    return name.replace("efficientnet_v2", "efficientnetv2")
