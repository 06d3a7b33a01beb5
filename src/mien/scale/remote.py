"""Sources with an address (s3://, gs://, hdfs://, ...), through fsspec and the package that speaks the protocol."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from mien.addresses import named, shown
from mien.errors import InputError, UnreadableMedia
from mien.extras import needs
from mien.pixels.kinds import PHOTO_SUFFIXES
from mien.sources import VIDEO_SUFFIXES
from mien.wording import natural_key

_BLOCK = 1 << 20
_PATTERN = str.maketrans("*[]", "xxx")
"""A host may be a pattern, as the file in `zip://*::...`, which as a host looks like nothing that is known."""


def expand_address(address: str) -> list[str]:
    """The addresses that one names: itself, the photos and videos that a pattern matches, or those below a folder.

    Raises:
        MissingExtra: fsspec is not installed.
        InputError: it holds a password, its protocol is not known here, or nothing is there.
    """
    if _is_secret(address):
        raise InputError(
            f"{named(address)} holds a password or a key, which would be kept in the folder of the batch; put it into "
            "the settings or the environment of the package that reads such addresses."
        )
    system, path = _opened(address)
    first, rest = first_of(address)
    scheme = first.partition("://")[0]
    try:
        if any(sign in path for sign in "*?["):
            found = [str(name) for name in system.glob(path) if _is_media(str(name))]
        elif system.isdir(path):
            found = [str(name) for name in system.find(path) if _is_media(str(name))]
        else:
            return [address]
    except Exception as error:  # every package has its own errors
        raise UnreadableMedia(f"Cannot list {named(address)}: {_reason(error)}.") from error
    if not found:
        raise UnreadableMedia(f"Cannot read {named(address)}: there is no photo or video; check the address.")
    return [
        name if "://" in name else f"{scheme}://{name if scheme == 'file' else name.lstrip('/')}{rest}"
        for name in sorted(found, key=natural_key)
    ]


def first_of(address: str) -> tuple[str, str]:
    """What an address names, and where that lies, "::" included: `zip://a.mp4` and `::s3://bucket/clips.zip`, for
    fsspec chains addresses; protocols that only pass on, as `simplecache::`, stay with what they pass on."""
    end = address.find("::", address.index("://"))
    return (address, "") if end < 0 else (address[:end], address[end:])


@contextmanager
def fetched(path: str) -> Iterator[str]:
    """A path to read a source from: that of a file, or of a copy of what an address holds, removed afterwards.

    Raises:
        MissingExtra, InputError: as `expand_address`.
        UnreadableMedia: it cannot be fetched.
    """
    if "://" not in path:
        yield path
        return
    system, remote = _opened(path)
    handle, copy = tempfile.mkstemp(prefix="mien-", suffix=PurePosixPath(remote).suffix)
    try:
        try:
            with os.fdopen(handle, "wb") as file, system.open(remote, "rb") as source:
                shutil.copyfileobj(source, file, _BLOCK)
        except Exception as error:  # every package has its own errors
            raise UnreadableMedia(f"Cannot read {named(path)}: {_reason(error)}.") from error
        yield copy
    finally:
        Path(copy).unlink(missing_ok=True)


def _opened(address: str) -> tuple[Any, str]:
    with needs("scale"):
        import fsspec.core
    try:
        system, path = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise InputError(f"Cannot read {named(address)}: {_reason(error)}.") from error
    return system, str(path)


def _is_secret(address: str) -> bool:
    """Whether an address has parts that are not shown; one without a host, as file:///folder, has no place for any."""
    return any(map(_has_secret, address.split("::")))


def _has_secret(address: str) -> bool:
    address = address.translate(_PATTERN)
    host, _, rest = address.partition("://")[2].partition("/")
    return shown(address) != address if host else "?" in rest


def _is_media(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES


def _reason(error: Exception) -> str:
    text = str(error).partition("\n")[0].rstrip(".")
    return f"{text[:1].lower()}{text[1:200]}" if text else type(error).__name__
