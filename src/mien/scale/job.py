"""What a batch is asked to do, as its folder remembers it: a restart with other settings is refused."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mien import __version__
from mien.files.hashes import file_sha256
from mien.models.artifact import load_artifact
from mien.pipeline import Options
from mien.sources import Selection

PHOTOS_PER_PART = 256
"""At most this many photos become one Parquet file."""

RANGE_S = 60.0
"""Least seconds of video in one unit: what is lost at most when a worker dies, and how finely a video is spread. Where
there are fewer videos than workers could do at once, ranges are shorter (`Settings.pieces`)."""

_EACH = 2
"""Ranges per worker, at least, of which one may take longer than another."""

_HOW = ("threads", "provider")
"""Options that say how to compute, which may differ from run to run and machine to machine."""

_MODELS = {"emotion": "emotion_model", "gesture": "gesture_model"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides about the rows.

    Args:
        options: of the analysis; a baseline in them is a file.
        selection: which frames of a video are wanted.
        range_s: least seconds of a time range, see `RANGE_S`.
        pieces: how many ranges each video should have, if that takes shorter ones; 1 where there are videos enough.
    """

    options: Options
    selection: Selection
    range_s: float = RANGE_S
    pieces: int = 1

    def to_dict(self) -> dict[str, Any]:
        """As JSON; with the version of the package, the weights and the baseline's contents, which decide as well."""
        options = {name: value for name, value in asdict(self.options).items() if name not in _HOW}
        baseline = None if self.options.baseline is None else Path(os.fspath(self.options.baseline)).resolve()  # type: ignore[arg-type]
        weights = {
            task: load_artifact(getattr(self.options, name)).manifest.sha256[:12]
            for task, name in _MODELS.items()
            if task in self.options.tasks
        }
        return {
            "mien": __version__,
            "options": {
                **options,
                "tasks": list(self.options.tasks),
                "gestures": None if self.options.gestures is None else list(self.options.gestures),
                "baseline": None if baseline is None else str(baseline),
            },
            "selection": asdict(self.selection),
            "weights": weights,
            "baseline_sha256": None if baseline is None else file_sha256(baseline),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], **how: Any) -> Settings:
        """What `to_dict` gave.

        Args:
            data: as JSON.
            how: what `how` gave; the threads and the provider are those of this machine.
        """
        ranges = {name: how.pop(name) for name in ("range_s", "pieces") if name in how}
        options = {**data["options"], "tasks": tuple(data["options"]["tasks"]), **how}
        return cls(options=Options(**options), selection=Selection(**data["selection"]), **ranges)

    @property
    def how(self) -> dict[str, Any]:
        """What decides about no row, as JSON: how to compute, and how videos are cut that have not been cut yet."""
        options = {name: getattr(self.options, name) for name in _HOW}
        return {**options, "range_s": self.range_s, "pieces": self.pieces}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A source, as it was when the job began.

    Args:
        source: its name in the records.
        path: absolute path, or address.
        is_video: by its first bytes, and where it cannot be read by its name.
        size: bytes; None for an address.
        changed_ns: when it was last written; None for an address.
    """

    source: str
    path: str
    is_video: bool
    size: int | None = None
    changed_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What a worker does in one go.

    Args:
        part: number of its part.
        number: its place in the part.
        source: its name in the records.
        path: absolute path, or address.
        selection: of a video, the frames of this unit.
        begin_s: of a video, where to begin to look: what is seen before the selection is only remembered.
        goes_on: begin with what the unit before remembered instead, and look at nothing twice.
        is_first: whether no other unit of the same source is before it.
        weight: about how many frames it has.
    """

    part: int
    number: int
    source: str
    path: str
    selection: Selection
    begin_s: float | None = None
    goes_on: bool = False
    is_first: bool = True
    weight: float = 1.0

    @property
    def key(self) -> str:
        """Names its files."""
        return f"{self.part:06d}-{self.number:05d}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Unit:
        return cls(**{**data, "selection": Selection(**data["selection"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What becomes one Parquet file: a video, or up to `PHOTOS_PER_PART` photos."""

    number: int
    items: tuple[Item, ...]

    @property
    def is_video(self) -> bool:
        return self.items[0].is_video

    def photo_units(self, selection: Selection) -> tuple[Unit, ...]:
        """Its units if it is one of photos."""
        return tuple(
            Unit(part=self.number, number=number, source=item.source, path=item.path, selection=selection)
            for number, item in enumerate(self.items)
        )

    def to_dict(self) -> dict[str, Any]:
        return {"number": self.number, "items": [asdict(item) for item in self.items]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Part:
        return cls(number=data["number"], items=tuple(Item(**item) for item in data["items"]))


def parts_of(items: Sequence[Item], *, first: int = 0, photos: int = PHOTOS_PER_PART) -> list[Part]:
    """The parts of sources in their order: each video alone, photos together until a video follows.

    Args:
        items: the sources.
        first: number of the first part.
        photos: at most this many in one part.
    """
    parts: list[Part] = []
    waiting: list[Item] = []

    def end() -> None:
        if waiting:
            parts.append(Part(number=first + len(parts), items=tuple(waiting)))
            waiting.clear()

    for item in items:
        if item.is_video or len(waiting) >= photos:
            end()
        waiting.append(item)
        if item.is_video:
            end()
    end()
    return parts


def pieces_of(items: Sequence[Item], workers: int) -> int:
    """How many ranges each video should have, so that all workers have something to do until about the end."""
    videos = sum(item.is_video for item in items)
    return max(-(-_EACH * workers // videos), 1) if videos else 1


Kind = Literal["split", "look", "join"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """What an engine is asked to do.

    Args:
        kind: `split` finds the units of a video, `look` does a unit, `join` makes the Parquet file of a part.
        part: what it is about.
        unit: which one, to look.
    """

    kind: Kind
    part: Part
    unit: Unit | None = None

    @property
    def key(self) -> str:
        """Tells tasks apart."""
        return self.unit.key if self.unit is not None else f"{self.part.number:06d}-{self.kind}"

    @property
    def about(self) -> str:
        """Which source, in words."""
        if self.unit is None:
            return self.part.items[0].source
        start_s, end_s = self.unit.selection.start_s, self.unit.selection.end_s
        of = "" if not start_s and end_s is None else f" from {start_s:g} s"
        return f"{self.unit.source}{of}{'' if end_s is None else f' to {end_s:g} s'}"

    def to_dict(self) -> dict[str, Any]:
        unit = None if self.unit is None else self.unit.to_dict()
        part = self.part if self.kind != "look" else replace(self.part, items=())
        return {"kind": self.kind, "part": part.to_dict(), "unit": unit}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WorkItem:
        unit = None if data["unit"] is None else Unit.from_dict(data["unit"])
        return cls(kind=data["kind"], part=Part.from_dict(data["part"]), unit=unit)
