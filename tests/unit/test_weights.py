"""Weights are found, checked and brought, or refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headstart.backbones import _weights
from headstart.errors import WeightsError


def test_altered_weights_are_named_with_both_checksums(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"abc")
    expected = _weights.sha256(file)
    assert _weights.verify(file, expected) == file
    other = tmp_path / "x.safetensors"
    other.write_bytes(b"abd")
    with pytest.raises(WeightsError) as caught:
        _weights.verify(other, expected)
    assert expected in str(caught.value)
    assert _weights.sha256(other) in str(caught.value)


def test_pull_from_a_mirror_takes_no_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "mirror" / "org" / "model"
    source.mkdir(parents=True)
    (source / "config.json").write_text(json.dumps({"architecture": "resnet18"}))
    (source / "model.safetensors").write_bytes(b"0")
    (source / "pytorch_model.bin").write_bytes(b"pickle")
    monkeypatch.setenv("HEADSTART_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("HEADSTART_MODELS", str(tmp_path / "models"))
    folder = _weights.pull("hf-hub:org/model")
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert _weights.find("org/model") == folder
    with pytest.raises(WeightsError, match="no folder 'org/other'"):
        _weights.pull("org/other")


def test_packaged_weights_are_the_official_files() -> None:
    for packaged in _weights.PACKAGED.values():
        assert _weights.verify(packaged.path, packaged.sha256).exists()
