"""Before a run: which parts a batch has, which of them are done again, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mien.addresses import named
from mien.errors import RefusedOutput
from mien.scale.differences import differences
from mien.scale.folder import BatchFolder, contents_of, read_json, write_json
from mien.scale.job import PHOTOS_PER_PART, Item, Part, Settings, parts_of
from mien.scale.sources import item_of

OnRedo = Callable[..., object]
"""Is told what is done again: a key of `mien.words`, and its values by name."""

_State: TypeAlias = Literal["new", "read", "failed"]
"""What has become of a source: nothing yet; rows; a problem, even if there are rows too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Renewal:
    """What is done again of one part.

    Args:
        part: as it is from now on.
        before: as it was.
        units: its units to forget, by number; None for the whole part.
        moved: sources that need a part of their own from now on.
        failed: sources that could not be read and have changed.
        damage: what is wrong with its Parquet file: a key of `mien.words` and values.
    """

    part: Part
    before: Part
    units: tuple[int, ...] | None = None
    moved: tuple[Item, ...] = ()
    failed: tuple[Item, ...] = ()
    damage: tuple[str, dict[str, Any]] | None = None


def _untold(key: str, **values: Any) -> None:
    del key, values


def prepare(
    folder: BatchFolder,
    settings: Settings,
    items: Sequence[Item],
    *,
    photos: int = PHOTOS_PER_PART,
    on_redo: OnRedo = _untold,
) -> list[Part]:
    """The parts of the batch in a folder that is held: those of a new one, or of the one that is there, and more where
    sources have been added.

    A source that could not be read and has changed since is read again, as is one of which nothing has been read yet;
    so is everything in its part, if that is finished. A part whose Parquet file is missing, or has not the size that it
    was written with, is made again. Whenever this is interrupted, the next run does the rest of it.

    Args:
        folder: of the batch.
        settings: of the batch.
        items: its sources.
        photos: at most this many in one part.
        on_redo: is told what is done again.

    Raises:
        RefusedOutput: the folder is of a batch with other settings; or a source has changed that has been read.
    """
    asked = json.loads(json.dumps(settings.to_dict()))
    if not folder.job.exists():
        parts = parts_of(items, photos=photos)
        _write_job(folder, asked, parts)
        return parts
    job = read_json(folder.job)
    with contents_of(folder.job):
        told = differences(dict(job["settings"].items()), asked)
        parts = [Part.from_dict(part) for part in job["parts"]]
    if told:
        raise RefusedOutput(f"{folder.named} with other settings ({told}); give the same settings, or {folder.afresh}.")
    renewals = _renewals(folder, settings, parts, {item.path: item for item in items})
    _note(renewals, on_redo)
    for renewal in renewals:
        _forget(folder, settings, renewal)
        parts[renewal.before.number] = renewal.part
    known = {item.path for part in parts for item in part.items}
    fresh = [item for renewal in renewals for item in renewal.moved]
    fresh += [item for item in items if item.path not in known | {item.path for item in fresh}]
    parts += parts_of(fresh, first=len(parts), photos=photos)
    if fresh or renewals:
        _write_job(folder, asked, parts)
        folder.manifest.unlink(missing_ok=True)
    return parts


def _write_job(folder: BatchFolder, settings: dict[str, Any], parts: Sequence[Part]) -> None:
    write_json(folder.job, {"settings": settings, "parts": [part.to_dict() for part in parts]}, keep_names=True)


def _renewals(folder: BatchFolder, settings: Settings, parts: Sequence[Part], given: dict[str, Item]) -> list[_Renewal]:
    """What is done again; nothing is touched before all of it is known to be allowed."""
    found = []
    for part in parts:
        changed = {item.path for item in part.items if given.get(item.path, item) != item}
        damage = _damage(folder, part)
        if changed or damage is not None:
            found.append(_renewal(folder, settings, part, given, changed, damage))
    return found


def _renewal(
    folder: BatchFolder,
    settings: Settings,
    part: Part,
    given: dict[str, Item],
    changed: set[str],
    damage: tuple[str, dict[str, Any]] | None,
) -> _Renewal:
    states = dict(zip((item.path for item in part.items), _states(folder, settings, part), strict=True))
    for item in part.items:
        now = given.get(item.path, item)
        if now.source != item.source:
            raise RefusedOutput(
                f"{named(now.source)} was given as {named(item.source)} before; give it by that name, or "
                f"{folder.afresh}."
            )
        if now != item and states[item.path] == "read":
            raise RefusedOutput(
                f"{named(item.source)} has been read and has changed since; put back the file that was read, or "
                f"{folder.afresh}."
            )
    is_kind_changed = any(given[path].is_video != part.is_video for path in changed)
    is_whole = part.is_video or is_kind_changed or folder.facts(part).exists()
    items = []
    for item in part.items:
        now = given.get(item.path) or (_as_it_is(item) if is_whole else item)
        if now != item and states[item.path] == "read":
            raise RefusedOutput(
                f"{named(item.source)} would be read again, because {_reason(folder, part, damage)}, but it "
                f"has changed or is gone; put back the file that was read, or {folder.afresh}."
            )
        items.append(now)
    # A part has photos or one video.
    photos = [item for item in items if not item.is_video]
    kept = photos if photos and len(items) > 1 else items[:1]
    return _Renewal(
        part=replace(part, items=tuple(kept)),
        before=part,
        units=None if is_whole else tuple(n for n, item in enumerate(part.items) if item.path in changed),
        moved=tuple(item for item in items if item not in kept),
        failed=tuple(item for item in part.items if item.path in changed and states[item.path] == "failed"),
        damage=damage,
    )


def _reason(folder: BatchFolder, part: Part, damage: tuple[str, dict[str, Any]] | None) -> str:
    if damage is not None:
        return f"{folder.table(part)} is damaged"
    return f"{folder.table(part)} also holds a source that has changed"


def _states(folder: BatchFolder, settings: Settings, part: Part) -> list[_State]:
    """What has become of each source of a part."""
    is_finished = folder.facts(part).exists()
    if is_finished:
        done: list[dict[str, Any] | None] = list(folder.read_facts(part)["units"])
    else:
        planned = folder.units(part) if part.is_video and folder.plan(part).exists() else ()
        units = planned if part.is_video else part.photo_units(settings.selection)
        done = [read_json(folder.result(unit)) if folder.result(unit).exists() else None for unit in units]
    with contents_of(folder.facts(part) if is_finished else folder.work):
        if part.is_video:
            return [_state(done)]
        return [_state([result]) for _, result in zip(part.items, done, strict=True)]


def _state(results: Sequence[dict[str, Any] | None]) -> _State:
    there = [result for result in results if result is not None]
    if any(result["problem"] for result in there):
        return "failed"
    return "read" if there else "new"


def _damage(folder: BatchFolder, part: Part) -> tuple[str, dict[str, Any]] | None:
    """What is wrong with the Parquet file of a finished part, as far as its size tells."""
    if not folder.facts(part).exists():
        return None
    table, wanted = folder.table(part), folder.read_facts(part).get("size")
    try:
        size = table.stat().st_size
    except OSError:
        return "batch.missing_again", {"file": table}
    if wanted in (None, size):  # parts of older versions have none
        return None
    return "batch.damaged_again", {"file": table, "size": size, "wanted": wanted}


def _as_it_is(item: Item) -> Item:
    """A source that is not among those given this time, as it is now."""
    return item if "://" in item.path else replace(item_of(Path(item.path)), source=item.source)


def _note(renewals: Sequence[_Renewal], on_redo: OnRedo) -> None:
    for renewal in renewals:
        if renewal.damage is not None:
            key, values = renewal.damage
            on_redo(key, **values)
    failed = [item.source for renewal in renewals for item in renewal.failed]
    if failed:
        on_redo("batch.read_again", n=len(failed), source=failed[0])


def _forget(folder: BatchFolder, settings: Settings, renewal: _Renewal) -> None:
    """Remove what there is of what is done again.

    It does not matter where this is interrupted: a source of which nothing is left may have changed in any way.
    """
    part = renewal.before
    folder.manifest.unlink(missing_ok=True)
    if renewal.units is not None:
        for unit in part.photo_units(settings.selection):
            if unit.number in renewal.units:
                folder.result(unit).unlink(missing_ok=True)
                folder.rows(unit).unlink(missing_ok=True)
        return
    folder.table(part).unlink(missing_ok=True)
    folder.facts(part).unlink(missing_ok=True)
    folder.clear(part)
