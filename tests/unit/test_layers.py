"""Another layer, another pooling: names with a #, and pooling of stored activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from headstart import backbones
from headstart.activations.activations import Activations
from headstart.backbones._pool import POOLINGS, Pool
from headstart.errors import WeightsError

TEXTS = ["a short one", "one that is quite a bit longer than the other, with a comma", "no"]


@pytest.mark.parametrize("how", POOLINGS)
def test_pooling_of_ragged_rows_is_that_of_each_row_alone(how: str) -> None:
    rng = np.random.default_rng(0)
    rows = np.empty(3, dtype=object)
    rows[:] = [rng.normal(size=(n, 5)).astype(np.float32) for n in (4, 1, 7)]
    stored = np.asarray(Activations(rows, np.arange(3), "layer.2", "tokens").pool(how))
    alone = torch.cat([Pool(how)(torch.from_numpy(r)[None]) for r in rows])
    np.testing.assert_allclose(stored, alone.numpy(), rtol=1e-5, atol=1e-6)
    values, mask = Activations(rows, np.arange(3), "layer.2", "tokens").batch()
    padded = Pool(how)(torch.from_numpy(values + 9 * ~mask[..., None]).float(), torch.from_numpy(mask))
    np.testing.assert_allclose(padded.numpy(), stored, rtol=1e-4, atol=1e-5)


def test_poolings_by_hand() -> None:
    x = torch.tensor([[[-1.0, 2.0], [3.0, 0.0]]])
    expected = {"mean": [1, 1], "max": [3, 2], "cls": [-1, 2], "last": [3, 0], "gem": [13 ** (1 / 3), 4 ** (1 / 3)]}
    for how, values in expected.items():
        torch.testing.assert_close(Pool(how)(x), torch.tensor([values], dtype=torch.float32))
    maps = x.permute(0, 2, 1)[..., None]  # (1, 2 channels, 2 places, 1)
    torch.testing.assert_close(Pool("max")(maps), torch.tensor([[3.0, 2.0]]))


def test_a_name_may_end_lower_and_pool_otherwise(tmp_path: Path) -> None:
    whole = backbones.get("minilm")
    batch = whole.prepare(TEXTS)
    seen = whole.prefix(batch, whole.cuts)
    lower = backbones.get("minilm#layer.2+max")
    assert lower.cuts == ("input", "embeddings", "layer.0", "layer.1", "layer.2", "pooled")
    pooled = lower.prefix(lower.prepare(TEXTS), ["pooled"])["pooled"]
    torch.testing.assert_close(pooled, Pool("max")(seen["layer.2"], batch.mask))
    joined = backbones.get("minilm#last.3")
    expected = torch.cat([Pool("mean")(seen[f"layer.{i}"], batch.mask) for i in (3, 4, 5)], dim=1)
    torch.testing.assert_close(joined.prefix(batch, ["pooled"])["pooled"], expected)
    torch.testing.assert_close(joined.suffix("layer.1")(seen["layer.1"], batch.mask), expected)
    first = backbones.get("minilm#cls").prefix(batch, ["pooled"])["pooled"]
    torch.testing.assert_close(first, seen["layer.5"][:, 0])
    assert len({b.fingerprint for b in (whole, lower, joined)}) == 3
    lower.save(tmp_path / "copy")
    again = backbones.get(f"local-dir:{tmp_path / 'copy'}")
    assert (again.cuts, again.fingerprint) == (lower.cuts, lower.fingerprint)


def test_where_tokens_stand_and_what_is_blank_do_not_depend_on_where_a_network_ends() -> None:
    whole, lower = backbones.get("minilm"), backbones.get("minilm#layer.2+max")
    assert lower.spans(TEXTS[0]) == whole.spans(TEXTS[0])
    assert lower.blank == backbones.get("scratch:minilm").blank == whole.blank != 0


def test_maps_pool_as_well_and_places_that_are_not_there_are_named() -> None:
    lite = backbones.get("efficientnet_lite0#blocks.4+gem")
    picture = [np.zeros((60, 60, 3), dtype=np.uint8)]
    assert lite.prefix(lite.prepare(picture), ["pooled"])["pooled"].shape == (1, 112)
    for wrong in ("layer.9", "layer.1+median", "last.9", "pooled"):
        with pytest.raises(WeightsError, match="names no place"):
            backbones.get(f"minilm#{wrong}")
    with pytest.raises(WeightsError, match="a map has no cls"):
        backbones.get("efficientnet_lite0#cls")
