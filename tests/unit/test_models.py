"""Models are brought, carried and checked; whatever was altered on the way is refused."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
import torch

from headstart import backbones, cli
from headstart.backbones import _bring, _weights
from headstart.backbones.resnet import Resnet
from headstart.errors import WeightsError


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder laid out as the hub is, with one small timm model; pulled models go to `tmp_path/models`."""
    torch.manual_seed(0)
    folder = tmp_path / "mirror"
    Resnet(Resnet.build("resnet10t"), "resnet10t.made").save(folder / "resnet10t.made")
    (folder / "resnet10t.made" / "pytorch_model.bin").write_bytes(b"pickle")
    monkeypatch.setenv("HEADSTART_MIRROR", str(folder))
    monkeypatch.setenv("HEADSTART_MODELS", str(tmp_path / "models"))
    backbones._load.cache_clear()
    _weights.verify.cache_clear()
    return folder


def test_pull_takes_no_pickle_and_finds_the_model_again(mirror: Path, tmp_path: Path) -> None:
    folder = _bring.pull("hf-hub:resnet10t.made")
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json",
        "headstart.json",
        "model.safetensors",
        "sha256.json",
    ]
    assert folder == tmp_path / "models" / "resnet10t.made" == _weights.find("resnet10t.made")
    assert backbones.get("resnet10t.made").cuts[-1] == "pooled"
    with pytest.raises(WeightsError, match="no folder 'org/other'"):
        _bring.pull("org/other")
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["resnet10t.made"]


def test_a_pulled_model_that_was_altered_is_refused(mirror: Path) -> None:
    file = _bring.pull("resnet10t.made") / "model.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(WeightsError, match="altered or cut off"):
        backbones.get("resnet10t.made")
    report = _bring.doctor("resnet10t.made")
    assert not report["sound"]
    assert "SHA-256" in report["why"]


def test_a_bundle_carries_packaged_and_pulled_models(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "models.tar"
    assert _bring.bundle(["resnet10t.made", "efficientnet_lite0"], bundle) == ["resnet10t.made", "efficientnet_lite0"]
    monkeypatch.delenv("HEADSTART_MIRROR")
    monkeypatch.setenv("HEADSTART_MODELS", str(tmp_path / "elsewhere"))
    assert _bring.unbundle(bundle) == ["efficientnet_lite0", "resnet10t.made"]
    assert _bring.here() == ["minilm", "efficientnet_lite0", "resnet10t.made"]
    there = backbones.get(f"local-dir:{tmp_path / 'elsewhere' / 'efficientnet_lite0'}")
    assert there.fingerprint == backbones.get("efficientnet_lite0").fingerprint
    with pytest.raises(SystemExit) as end:
        cli.main(["models", "doctor", "resnet10t.made", "--json"])
    assert not end.value.code
    (report,) = json.loads(capsys.readouterr().out)
    assert report["sound"]
    assert report["width"] == 512
    assert report["sha256"] == {"model.safetensors": _weights.sha256(Path(report["folder"]) / "model.safetensors")}


def test_a_bundle_that_was_altered_or_leads_elsewhere_is_refused(mirror: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "models.tar"
    _bring.bundle(["resnet10t.made"], bundle)
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError):
        _bring.unbundle(bundle)
    bundle.write_bytes(whole.replace(b'"architecture"', b'"Architecture"'))
    with pytest.raises(WeightsError, match="SHA-256"):
        _bring.unbundle(bundle)
    for name, target in (("../../outside", ""), (str(tmp_path / "outside"), ""), ("m/link", str(tmp_path))):
        with tarfile.open(bundle, "w") as tar:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE if target else tarfile.REGTYPE, target
            entry.size = 0 if target else 1
            tar.addfile(entry, None if target else io.BytesIO(b"x"))
        with pytest.raises(WeightsError, match=r"no whole bundle .* leads elsewhere"):
            _bring.unbundle(bundle)
    assert not (tmp_path.parent / "outside").exists()
    assert not (tmp_path / "outside").exists()


def test_the_doctor_says_what_is_wrong_and_exits_1(mirror: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["models", "doctor", "efficientnet_lite0", "no_such_model"])
    assert end.value.code == 1
    sound, faulty = capsys.readouterr().out.splitlines()
    assert sound.split()[:2] == ["efficientnet_lite0", "sound"]
    assert faulty.split()[:2] == ["no_such_model", "FAULTY"]
    assert "headstart models pull no_such_model" in faulty
