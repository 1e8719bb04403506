"""Weights of Keras applications in the layout of timm and torchvision: DenseNet-121, Xception, SqueezeNet."""

from __future__ import annotations

import io
import json
import re
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headstart.errors import WeightsError

COUNTED = {
    "Conv2D": "conv2d", "BatchNormalization": "batch_normalization", "SeparableConv2D": "separable_conv2d",
}  # fmt: skip
FIRES = {2: 3, 3: 4, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12}  # Keras' numbers to torchvision's places

Layers = dict[str, list[np.ndarray]]


def hdf5(source: Any) -> Any:
    """An open HDF5 file; a WeightsError that says what to install where h5py is missing."""
    if find_spec("h5py") is None:
        raise WeightsError(
            "these weights are an HDF5 file", expected="the package h5py", do="pip install h5py (headstart[hdf5])"
        )
    import h5py

    return h5py.File(source, "r")


def layers(path: Path) -> Layers:
    """Arrays by the layer's name of the inner network of a .keras archive, which numbers layers of a kind in order."""
    archive = zipfile.ZipFile(path)
    config = json.loads(archive.read("config.json"))
    inner = next(c for c in config["config"]["layers"] if c["class_name"] == "Functional")
    file = hdf5(io.BytesIO(archive.read("model.weights.h5")))["layers/functional/layers"]
    counts: dict[str, int] = {}
    found = {}
    for layer in inner["config"]["layers"]:
        if kind := COUNTED.get(layer["class_name"]):
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            values = file[f"{kind}_{number}" if number else kind]["vars"]
            found[layer["config"]["name"]] = [np.array(values[str(i)]) for i in range(len(values))]
    return found


def densenet121(path: Path) -> dict[str, Tensor]:
    """The trunk of keras.applications' DenseNet-121; its epsilon 1.001e-5 goes into the variances."""
    out: dict[str, Tensor] = {}
    for name, values in layers(path).items():
        if m := re.fullmatch(r"conv(\d)_block(\d+)_([012])_(conv|bn)", name):
            block, layer, at = int(m[1]) - 1, m[2], int(m[3])
            place = f"norm{at + 1}" if m[4] == "bn" else f"conv{at}"
            ours = f"features.denseblock{block}.denselayer{layer}.{place}"
        elif m := re.fullmatch(r"pool(\d)_(conv|bn)", name):
            ours = f"features.transition{int(m[1]) - 1}.{'norm' if m[2] == 'bn' else 'conv'}"
        else:
            ours = {"conv1_conv": "features.conv0", "conv1_bn": "features.norm0", "bn": "features.norm5"}[name]
        out |= _norm(ours, values, 1.001e-5) if len(values) == 4 else {f"{ours}.weight": _kernel(values[0])}
    return out


def xception(path: Path) -> dict[str, Tensor]:
    """The trunk of keras.applications' Xception; its epsilon 1e-3 goes into the variances."""
    out: dict[str, Tensor] = {}
    shortcuts = iter(("block1", "block2", "block3", "block12"))
    skip = ""
    for name, values in layers(path).items():
        if m := re.fullmatch(r"block(\d+)_(?:sep)?conv(\d)(_bn)?", name):
            block, at = int(m[1]), int(m[2])
            if block in (1, 14):
                number = at if block == 1 else at + 2
                ours = f"{'bn' if m[3] else 'conv'}{number}"
            else:  # a block is (ReLU,) separable convolution, norm, three at a time; the first has no ReLU
                place = 3 * (at - 1) + (0 if block == 2 else 1) + bool(m[3])
                ours = f"block{block - 1}.rep.{place}"
        elif name.startswith("conv2d"):
            skip = next(shortcuts)
            ours = f"{skip}.skip"
        else:
            ours = f"{skip}.skipbn"
        if len(values) == 4:
            out |= _norm(ours, values, 1e-3)
        elif len(values) == 2:
            depth = torch.from_numpy(values[0].transpose(2, 3, 0, 1).copy())
            out |= {f"{ours}.conv1.weight": depth, f"{ours}.pointwise.weight": _kernel(values[1])}
        else:
            out[f"{ours}.weight"] = _kernel(values[0])
    return out


def squeezenet(path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """SqueezeNet 1.1 and its head; it was taught with blue first, which the first kernel's channels take up."""
    out: dict[str, Tensor] = {}
    file = hdf5(path)
    for name in ["conv1", "conv10", *(f"fire{i}/{p}" for i in FIRES for p in ("squeeze1x1", "expand1x1", "expand3x3"))]:
        group = file[name]
        short = name.rpartition("/")[2]
        inner = group[name.partition("/")[0]] if "/" in name else group
        inner = inner[short] if short in inner and "/" in name else inner
        found = {k: np.array(v) for k, v in inner.items()}
        weight = next(v for k, v in found.items() if k.endswith("_W:0"))
        bias = next(v for k, v in found.items() if k.endswith("_b:0"))
        if m := re.match(r"fire(\d)/(.+)", name):
            ours = (
                f"features.{FIRES[int(m[1])]}.{m[2]}"
                if "squeeze" not in m[2]
                else f"features.{FIRES[int(m[1])]}.squeeze"
            )
        else:
            ours = {"conv1": "features.0", "conv10": "head"}[name]
        out |= {f"{ours}.weight": _kernel(weight), f"{ours}.bias": torch.from_numpy(bias)}
    out["features.0.weight"] = out["features.0.weight"].flip(1).contiguous()
    head = {"weight": out.pop("head.weight").flatten(1), "bias": out.pop("head.bias")}
    return out, head


def _kernel(values: np.ndarray) -> Tensor:
    """Height, width, in, out to out, in, height, width."""
    return torch.from_numpy(values.transpose(3, 2, 0, 1).copy())


def _norm(name: str, values: list[np.ndarray], epsilon: float) -> dict[str, Tensor]:
    """Scale, shift, mean, variance; torch's epsilon is 1e-5."""
    weight, bias, mean, variance = (torch.from_numpy(v) for v in values)
    plain = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance + (epsilon - 1e-5)}
    return {f"{name}.{k}": v for k, v in plain.items()}
