"""Weights are found, checked and brought, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart import backbones
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


def test_packaged_weights_are_the_official_files() -> None:
    for packaged in _weights.PACKAGED.values():
        assert _weights.verify(packaged.path, packaged.sha256).exists()


def test_what_cannot_be_a_model_is_told_of_in_a_line(tmp_path: Path) -> None:
    cut_off, uneven = tmp_path / "cut_off.safetensors", tmp_path / "uneven.txt"
    cut_off.write_bytes(b"")
    uneven.write_text("a 1 2 3\nb 1 2\n")
    for name, words in (
        (str(cut_off), r"cut_off\.safetensors cannot be read"), (f"resnet18@{cut_off}", "cannot be read"),
        (str(uneven), "2 numbers behind 'b', 3 behind other words"), ("resnet18@nothere.pth", r"no file nothere\.pth"),
        ("nothere.gguf", "no file"), ("", "headstart models pull NAME"), ("minilm#", "names no place"),
        ("resnet50.a1_in1k", "headstart models pull resnet50"),
    ):  # fmt: skip
        with pytest.raises(WeightsError, match=words):
            backbones.get(name)
