"""Who is told how a run is going: nobody by default, the terminal from the command line."""

from __future__ import annotations


class Listener:
    """Receives what a run says; every method does nothing, so that a listener overrides only what it shows."""

    def say(self, text: str) -> None:
        """One line worth keeping: a choice and its reason, or a result."""

    def stage(self, name: str, estimate: float | None = None) -> None:
        """A stage begins; `estimate` in seconds where one can honestly be given."""

    def progress(self, done: int, total: int) -> None:
        """Rows done in the stage that is under way."""

    def close(self) -> None:
        """The run is over, or was stopped."""
