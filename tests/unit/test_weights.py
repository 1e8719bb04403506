"""Weights are found, checked and brought, or refused with the reason."""

from __future__ import annotations

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


def test_packaged_weights_are_the_official_files() -> None:
    for packaged in _weights.PACKAGED.values():
        assert _weights.verify(packaged.path, packaged.sha256).exists()
