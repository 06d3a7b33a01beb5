"""The sources of a batch: what the user names, each once, with what tells later whether it is still the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath

from mien.errors import InputError, UnreadableMedia
from mien.pixels.images import read_error
from mien.scale.job import Item
from mien.scale.remote import expand_address, first_of
from mien.sources import VIDEO_SUFFIXES, expand_sources, source_kind


def items_of(
    specs: Sequence[str], *, on_note: Callable[[str], None] | None = None
) -> tuple[list[Item], list[InputError]]:
    """The sources that specs name, each once, in the order given; and what to report of specs that name nothing.

    Args:
        specs: files, folders, globs, and addresses for fsspec.
        on_note: gets a sentence about what folders and globs hold besides, as `expand_sources`.

    Raises:
        MissingExtra: there is an address, and fsspec is not installed.
    """
    items: dict[str, Item] = {}
    problems: list[InputError] = []
    for is_address, some in groupby(specs, key=lambda spec: "://" in spec):
        found: list[Item] = []
        if is_address:
            for spec in some:
                try:
                    found += map(_remote, expand_address(spec))
                except InputError as problem:
                    problems.append(problem)
        else:  # together, because a file may have several names
            paths, unread = expand_sources(list(some), on_note=on_note)
            problems += unread
            found += map(item_of, paths)
        for item in found:
            items.setdefault(item.path, item)
    return list(items.values()), problems


def listed(path: Path) -> list[str]:
    """The sources in a file list: one per line; blank lines and lines that begin with # are skipped.

    Raises:
        UnreadableMedia: the list cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except (OSError, ValueError) as error:
        raise read_error(str(path), error) from error
    lines = (line.strip(" \t\r") for line in text.split("\n"))  # a name may have other line ends, such as U+2028, in it
    return [line for line in lines if line and not line.startswith("#")]


def item_of(path: Path) -> Item:
    """A file as a source, whether it can be read or not."""
    try:
        is_video = source_kind(path) == "video"
    except UnreadableMedia:  # reported when its turn comes
        is_video = path.suffix.lower() in VIDEO_SUFFIXES
    try:
        facts = path.stat()
    except OSError:
        return Item(source=str(path), path=os.path.abspath(path), is_video=is_video)  # noqa: PTH100
    return Item(
        source=str(path),
        path=os.path.abspath(path),  # noqa: PTH100 - links stay, `..` goes
        is_video=is_video,
        size=facts.st_size,
        changed_ns=facts.st_mtime_ns,
    )


def _remote(address: str) -> Item:
    suffix = PurePosixPath(first_of(address)[0].partition("?")[0]).suffix.lower()
    return Item(source=address, path=address, is_video=suffix in VIDEO_SUFFIXES)
