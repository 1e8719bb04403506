"""Bare weights files: torchvision's modules and ours give the same features; what is no file of tensors is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from headstart import _discover, backbones
from headstart.backbones._file import timm_name
from headstart.errors import WeightsError

PROVEN = ("vgg16_bn", "resnet50", "inception_v3")
OTHERS = ("mobilenet_v3_small", "regnet_y_400mf", "efficientnet_b0", "densenet121", "squeezenet1_1", "convnext_tiny")


def theirs(name: str) -> Any:
    """torchvision's own network with random weights, statistics of batch norms included."""
    torch.manual_seed(0)
    plain = {"init_weights": False} if name.startswith(("inception", "vgg")) else {}  # a second drawing takes seconds
    model = torchvision.models.get_model(name, weights=None, **plain)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def features(model: Any) -> Any:
    """Without its last layer."""
    linear = [n for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    if linear:
        model.set_submodule(linear[-1], nn.Identity())
    else:
        model.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return model


@pytest.mark.parametrize("name", [*PROVEN, *OTHERS])
@torch.no_grad()
def test_torchvisions_modules_with_the_same_weights_give_the_same_features(name: str, tmp_path: Path) -> None:
    model = theirs(name)
    path = tmp_path / f"{name}-0123abcd.pth"
    torch.save(model.state_dict(), path)
    backbone = backbones.get(str(path))
    rng = np.random.default_rng(0)
    size = backbone.preparation.size
    rows = [rng.integers(0, 256, (size + 9, size + 40, 3), dtype=np.uint8) for _ in range(2)]
    batch = backbone.prepare(rows)
    x = batch.values.float() / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    if name == "inception_v3":
        model.transform_input = True  # as the network of the published weights does
    expected = features(model)((x - mean) / std).flatten(1)
    seen = backbone.prefix(batch, backbone.cuts)
    scale = float(expected.abs().max())
    torch.testing.assert_close(seen["pooled"] / scale, expected / scale, atol=1e-5, rtol=1e-4)
    middle = backbone.cuts[len(backbone.cuts) // 2]
    torch.testing.assert_close(backbone.suffix(middle)(seen[middle]) / scale, expected / scale, atol=1e-5, rtol=1e-4)


def test_the_architecture_is_read_off_the_tensors_or_named(tmp_path: Path) -> None:
    state = theirs("resnet18").state_dict()
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 3}, tmp_path / "mine.pth")
    assert backbones.get(f"{tmp_path}/mine.pth").name.startswith("resnet18@")
    save_file({k: v for k, v in state.items() if not k.startswith("fc.")}, tmp_path / "trunk.safetensors")
    named = backbones.get(f"resnet18@{tmp_path}/trunk.safetensors")
    assert named.fingerprint == backbones.get(f"{tmp_path}/mine.pth").fingerprint
    with pytest.raises(WeightsError, match="not those of resnet50"):
        backbones.get(f"resnet50@{tmp_path}/mine.pth")


def test_timms_layout_is_read_as_well(tmp_path: Path) -> None:
    family = _discover.load("backbones", "efficientnet")
    torch.manual_seed(0)
    model = family.build("efficientnet_lite0")
    save_file(model.state_dict(), tmp_path / "efficientnet_lite0_ra-37913777.safetensors")
    backbone = backbones.get(str(tmp_path / "efficientnet_lite0_ra-37913777.safetensors"))
    x = torch.zeros(1, 3, 224, 224, dtype=torch.uint8)
    expected = family(model, "twin").suffix("input")(x)
    torch.testing.assert_close(backbone.suffix("input")(x), expected)


def test_nothing_is_unpickled_and_strange_files_are_named(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "touched",))

    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"w": Evil()}))
    torch.save({"w": Evil()}, tmp_path / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        with pytest.raises(WeightsError, match="cannot be read safely"):
            backbones.get(str(tmp_path / name))
    assert not (tmp_path / "touched").exists()
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="the 1 tensors"):
        backbones.get(f"resnet18@{tmp_path}/other.pth")


def test_names_of_the_other_library() -> None:
    import timm

    names = torchvision.models.list_models(module=torchvision.models)
    assert all(timm.is_model(timm_name(n)) for n in names if n.startswith(("regnet", "vit", "mobile", "efficient")))
