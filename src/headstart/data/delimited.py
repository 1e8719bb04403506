"""CSV and its kin: encoding, separator and quotes found by looking; what is not plain is said."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from headstart.data.raw import Raw, column, is_missing
from headstart.errors import DataError

SNIFFED = 65_536  # characters that the delimiter is guessed from
LONGEST_CELL = 2**30
EXCEL = re.compile(r"sep=(.)\r?\n")  # a first line that some spreadsheets write
A_SENTENCE = 8  # words of a header that is rather a text
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?")


def load_delimited(path: Path) -> Raw:
    """The columns of a file of cells; rows of another width than the header are skipped and named."""
    text, note = text_of(path)
    raw = Raw({}, column([]), notes=[note] if note else [])
    if "\0" in text:
        raise DataError(
            f"{path.name} holds NUL characters", expected="text", do="it may be a spreadsheet: save it as CSV"
        )
    told = EXCEL.match(text)
    text = text[told.end() :] if told else text
    delimiter = told[1] if told else _delimiter(text, path.suffix.lower())
    if not delimiter and path.suffix.lower() == ".txt":
        return _plain_lines(path.name, text, raw.notes)
    delimiter = delimiter or ","
    if delimiter != ",":
        raw.notes.append(f"cells of {path.name} are separated by {({chr(9): 'tabs'}).get(delimiter, repr(delimiter))}")
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        lines = list(_lines(text, delimiter))
    except csv.Error as error:
        raise DataError(
            f"{path.name} is no well-formed CSV ({error})", expected="line breaks only in quotes"
        ) from error
    finally:
        csv.field_size_limit(before)
    if not lines:
        raise DataError(f"{path.name} holds no text", expected="a header line and rows")
    header = unique_names([h.strip() for h in lines[0][1]], raw.notes)
    rows = []
    for number, cells in lines[1:]:
        if len(cells) == len(header) and cells != lines[0][1]:
            rows.append((number, cells))
            continue
        wrong = f"{len(cells)} cells where the header has {len(header)}"
        raw.skipped.append((f"line {number}", "the header once more" if cells == lines[0][1] else wrong))
        raw.torn.append(len(rows))
    raw.names = column(f"line {number}" for number, _ in rows)
    raw.columns = {h: column(cells[k] for _, cells in rows) for k, h in enumerate(header)}
    _decimal_commas(raw, plain=delimiter == ",")
    _doubt_header(raw)
    return raw


def text_of(path: Path) -> tuple[str, str | None]:
    """The text of a file and, where it is not plain UTF-8, a note that says how it was read."""
    raw = path.read_bytes()
    marks = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
    for mark, encoding in marks:
        if raw.startswith(mark):
            try:
                return raw.decode(encoding), None if encoding == "utf-8-sig" else f"{path.name} was read as {encoding}"
            except UnicodeDecodeError:
                break
    for encoding in ("utf-8", "cp1252", "latin-1"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        note = f"{path.name} is not UTF-8: it was read as {encoding}; save it as UTF-8 if letters look wrong"
        return text, None if encoding == "utf-8" else note
    raise AssertionError("latin-1 decodes any bytes")


def unique_names(names: list[str], notes: list[str]) -> list[str]:
    """Column names without twins and blanks; what was renamed is noted."""
    seen: dict[str, int] = {}
    out = []
    for position, name in enumerate(names):
        given = name or f"column {position + 1}"
        seen[given] = seen.get(given, 0) + 1
        out.append(given if seen[given] == 1 else f"{given} ({seen[given]})")
    twins = [n for n, k in seen.items() if k > 1]
    if twins:
        notes.append(
            f"several columns are called {', '.join(twins)}: the later ones were renamed '{twins[0]} (2)' and so on"
        )
    return out


def _plain_lines(name: str, text: str, notes: list[str]) -> Raw:
    """One text a line, without a header."""
    lines = [(number, line.strip("\r")) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    names = column(f"line {number}" for number, _ in lines)
    notes = [*notes, f"{name} was read as one text a line"]
    return Raw({"text": column(line for _, line in lines)}, names, notes=notes, modality="text")


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line number where the row starts, cells); empty lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=delimiter == ",")
    start = 1
    for cells in reader:
        if cells:
            yield start, cells
        start = reader.line_num + 1


def _delimiter(text: str, suffix: str) -> str:
    """The separator that splits the first rows into the same number of cells, more than one; "" where none does."""
    best, most = "\t" if suffix in (".tsv", ".tab") else "", 1.0
    sample = text[:SNIFFED]
    if len(text) > SNIFFED:
        sample = sample[: sample.rfind("\n") + 1] or sample
    for delimiter in ("\t" if suffix in (".tsv", ".tab") else ",", ",", "\t", ";", "|"):
        try:
            widths = [len(cells) for _, cells in _lines(sample, delimiter)][:100]
        except csv.Error:
            continue
        width = widths[0] if widths else 0
        agree = sum(w == width for w in widths) / max(len(widths), 1)
        score = width * agree**4 if width > 1 else 0.0
        if score > most:
            best, most = delimiter, score
    return best


def _doubt_header(raw: Raw) -> None:
    """Say so where the first line looks like a row: a header names its columns and is no value of theirs."""
    texts = [h for h in raw.columns if len(h.split()) >= A_SENTENCE]
    values = [h for h, cells in raw.columns.items() if h in set(cells)]
    if texts or 2 * len(values) >= len(raw.columns):
        shown = (texts or values)[0]
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        raw.notes.append(
            f"the first line was read as names of columns, {shown!r} among them: add a line of names if it is a row"
        )


def _decimal_commas(raw: Raw, *, plain: bool) -> None:
    """Columns of numbers such as 3,14 (the reason why people separate cells by semicolons) get a decimal point.

    In a `plain` file, which has commas between its cells, 1,200 may be twelve hundred: then something must tell.
    """
    for name, cells in raw.columns.items():
        there = [c for c in cells if not is_missing(c)]
        is_decimal = any("," in c and not (plain and THOUSANDS.fullmatch(c.strip())) for c in there)
        if is_decimal and all(DECIMAL_COMMA.fullmatch(c.strip()) for c in there):
            raw.columns[name] = column(c.replace(",", ".") for c in cells)
            raw.notes.append(f"column {name!r} has decimal commas: 3,14 was read as 3.14")
