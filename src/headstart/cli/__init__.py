"""The command line: one file, one command; only the file of the command that was asked for is imported.

Importing this package, and `headstart --help`, load neither torch nor scikit-learn: names and one-line descriptions
are read from the files. A command's own heavy imports stand inside its function.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence

from headstart import __version__, _discover
from headstart.errors import HeadstartError

FAULT, INTERRUPTED = 2, 130  # exit codes


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 an answer of "no", 2 a fault that the user can mend, 130 Ctrl-C."""
    words = [*(sys.argv[1:] if arguments is None else arguments)]  # here `list` may be the command's module
    debug = "--debug" in words or os.environ.get("HEADSTART_DEBUG", "") not in ("", "0")
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("--help", "-h", "help"):
        print(overview())
    elif words[0] in ("--version", "-V"):
        print(f"headstart {__version__}")
    else:
        try:
            _command(words[0], words[1:])
        except HeadstartError as fault:
            if debug:
                raise
            _complain(str(fault))
            raise SystemExit(FAULT) from fault
        except OSError as fault:  # a folder that cannot be written, a disk that is full
            if debug or not (fault.filename and fault.strerror):
                raise
            _complain(f"{fault.filename}: {fault.strerror}. What to do: check the path, its rights and the space left.")
            raise SystemExit(FAULT) from fault


def overview() -> str:
    """What `headstart --help` prints: every command with the first line of its docstring."""
    commands = _discover.names("cli")
    width = max(map(len, commands))
    lines = (f"  {name:<{width}}  {_discover.summary('cli', name)}" for name in commands)
    return "\n".join(
        [
            "Give a small labelled data set the benefit of pre-trained models, with an honest verdict.",
            "",
            "Usage: headstart COMMAND [OPTIONS]",
            "",
            "Commands:",
            *lines,
            "",
            "headstart COMMAND --help   what one command takes",
            "headstart --version        which version this is",
            "--debug                    with any command: show the traceback of an error",
        ]
    )


def _command(name: str, words: list[str]) -> None:
    known = _discover.names("cli")
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        _complain(
            f"no command {name!r}. "
            + (f"Did you mean: headstart {close[0]}" if close else f"There are: {', '.join(known)}")
        )
        raise SystemExit(FAULT)
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(_discover.load("cli", name))
    try:
        typer.main.get_command(app).main(args=words, prog_name=f"headstart {name}")
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer turns Ctrl-C into this code
            _complain("stopped" + ("; go on with --resume" if name == "run" else ""))
        raise


def _complain(words: str) -> None:
    red, plain = ("\033[31m", "\033[0m") if sys.stderr.isatty() and "NO_COLOR" not in os.environ else ("", "")
    print(f"{red}{words}{plain}", file=sys.stderr)
