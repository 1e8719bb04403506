"""Every test, doctests included, runs without network and with a cache folder of its own."""

from __future__ import annotations

import os
import tempfile

_CACHE = tempfile.TemporaryDirectory(prefix="headstart-tests-", ignore_cleanup_errors=True)

# Before any library reads them: nothing may be written into the user's cache, nothing may be fetched.
os.environ.update(
    XDG_CACHE_HOME=_CACHE.name,
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TOKENIZERS_PARALLELISM="false",
    MPLBACKEND="Agg",
)
os.environ.pop("HEADSTART_DEBUG", None)
