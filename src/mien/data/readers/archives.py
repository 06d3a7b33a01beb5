"""Text tables as they are published: plain, compressed, or as the only table in an archive."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mien.errors import UnreadableMedia
from mien.wording import count

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DAMAGE = (EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, tarfile.TarError, OSError)
_HINT = re.compile(r"\"?sep=.\"?", re.IGNORECASE)


def table_lines(path: Path) -> Generator[str, None, None]:
    """Lines of a text table: plain, .xz, .gz, .bz2, or the CSV in a .zip, .tar, .tar.gz, .tgz, ....

    Text is UTF-8, or UTF-16 with a byte order mark, as spreadsheet programs save it. Bytes that are not valid UTF-8
    become lone surrogates, so that the reader can name the row they are in; those that are not valid UTF-16 become
    U+FFFD.

    Raises:
        UnreadableMedia: the file cannot be opened, or it is truncated or damaged after a row (which is named,
            counted from 1 below the first line).
    """
    rows = -1
    try:
        with _opened(path) as file:
            encoding, errors = _encoding(file)
            with io.TextIOWrapper(file, encoding=encoding, errors=errors) as text:
                for line in text:
                    if rows < 0 and is_separator_hint(line):
                        continue
                    rows += 1
                    yield line
    except (FileNotFoundError, IsADirectoryError, PermissionError) as exc:
        raise UnreadableMedia(f"{path} cannot be read: {exc.strerror}") from exc
    except _DAMAGE as exc:
        raise UnreadableMedia(f"{path} is truncated or damaged after row {max(rows, 0)}: {exc}") from exc


def fields_of(line: str, separator: str = ",") -> list[str]:
    """The fields of one line of a CSV, without spaces after a separator; a line that is not CSV is returned whole.

    Line by line, a quotation mark that is never closed costs one row and not all that follow.
    """
    try:
        return next(csv.reader((line,), delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return [line]


def separator_of(header: str) -> str:
    """The separator of a table's columns, by its first line: the most frequent of comma, semicolon and tab."""
    return max(",;\t", key=header.count)


def is_separator_hint(line: str) -> bool:
    """Whether a line before the header only tells Excel the separator, as in `sep=;`."""
    return _HINT.fullmatch(line.strip("\r\n")) is not None


def column_words(names: Iterable[str]) -> list[str]:
    """Names of columns as they are compared: published copies of one table spell them with blanks and capitals."""
    return [name.strip().casefold() for name in names]


def _encoding(file: IO[bytes]) -> tuple[str, str]:
    """The encoding of a text by its first bytes, and what is to become of bytes that are none in it."""
    start = file.read(2)
    file.seek(0)
    return ("utf-16", "replace") if start in _UTF_16 else ("utf-8-sig", "surrogateescape")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    suffix = path.suffix.lower()
    is_tar = suffix in (".tar", ".tgz", ".txz") or Path(path.stem).suffix.lower() == ".tar"
    with ExitStack() as stack:
        if is_tar:
            tar = stack.enter_context(tarfile.open(path, "r:*"))
            names = {member.name: member for member in tar.getmembers() if member.isfile()}
            file = tar.extractfile(names[_only_table(path, list(names))])
            if file is None:
                raise tarfile.ReadError("its table cannot be extracted")
            yield stack.enter_context(file)
        elif suffix == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(path))
            name = _only_table(path, archive.namelist())
            try:
                table = archive.open(name)
            except (RuntimeError, NotImplementedError) as exc:  # a password; a compression that Python lacks
                raise UnreadableMedia(f"{path} cannot be unpacked: {exc}; unpack it and give the CSV") from exc
            yield stack.enter_context(table)
        else:
            yield stack.enter_context(_OPENERS.get(suffix, Path.open)(path, "rb"))


_OPENERS: Mapping[str, Any] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}


def _only_table(path: Path, names: list[str]) -> str:
    """The CSV of an archive: the only one, or the one called fer2013.csv."""
    tables = [name for name in names if name.lower().endswith(".csv") and PurePosixPath(name).parts[0] != "__MACOSX"]
    if len(tables) > 1:
        tables = [name for name in tables if PurePosixPath(name).name == "fer2013.csv"] or tables
    if len(tables) != 1:
        raise UnreadableMedia(
            f"{path} holds {count(len(tables), 'CSV file')} ({', '.join(tables[:3]) or 'none'}); "
            "unpack it and give the one you mean"
        )
    return tables[0]
