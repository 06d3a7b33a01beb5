"""What a worker does: it decodes, looks and writes rows; frames never leave it.

Track numbers depend on all frames before. A range therefore keeps its detections, and when all ranges of a video are
there, one pass over their boxes gives the numbers, with the tracker of `mien look`: as if the video had never been cut.
What a range detects depends on a few frames before it, which `ranges.py` tells of.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from mien.errors import InputError, OutputError, UnreadableMedia
from mien.files.hashes import file_sha256
from mien.pipeline import Analyzer, labels_of
from mien.records.parquet import ParquetWriter
from mien.records.writers import JsonlWriter, read_jsonl
from mien.resource import Resource
from mien.scale.folder import BatchFolder, read_json, write_json
from mien.scale.job import Part, Settings, Unit, WorkItem
from mien.scale.ranges import units_of
from mien.scale.remote import fetched
from mien.scene import Scene
from mien.sources import captured, open_source
from mien.sources.selection import ROUNDING_S
from mien.stages.track import Tracker
from mien.wording import count, json_text

_log = logging.getLogger(__name__)

_TELL_S = 0.5

Tell = Callable[[int], None]
"""Is told now and then how many frames of a unit are done."""


def untold(frames: int) -> None:
    """Tells nobody."""
    del frames


class Worker(Resource):
    """Does tasks one after another, with models that are loaded once, before the first that needs them.

    Args:
        folder: of the batch.
        settings: of the batch, with the threads and provider of this machine.
    """

    def __init__(self, folder: BatchFolder, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._analyzer: Analyzer | None = None

    def load(self) -> Analyzer:
        """Load the models if they are not.

        Raises:
            UnknownName, ModelError: a model cannot be used.
        """
        if self._analyzer is None:
            self._analyzer = Analyzer(self._settings.options)
        return self._analyzer

    @property
    def is_loaded(self) -> bool:
        """Whether the models are there, which only looking needs."""
        return self._analyzer is not None

    def perform(self, task: WorkItem, tell: Tell = untold) -> dict[str, Any]:
        """Do a task; what came of it is in the folder when this returns.

        Returns:
            Facts about it, as JSON.

        Raises:
            InputError: the source cannot be read; for the next try to be made, or given up.
            OutputError: nothing can be written, which ends the batch.
        """
        self._folder.clear_leftovers(f"part-{task.part.number:06d}" if task.kind == "join" else task.key)
        if task.kind == "split":
            self._folder.write_units(task.part, units_of(task.part, self._settings))
            return {}
        if task.kind == "join":
            return self._join(task.part)
        if task.unit is None:
            raise ValueError("a task to look needs a unit")
        return self._look(task.unit, tell)

    def close(self) -> None:
        """Free the models."""
        if self._analyzer is not None:
            self._analyzer.close()

    def _look(self, unit: Unit, tell: Tell) -> dict[str, Any]:
        frames, problem, told_s = 0, "", 0.0
        started_s = time.monotonic()
        sequence = self.load().sequence()
        before: dict[str, Any] | None = None if unit.begin_s is not None else {}
        if unit.goes_on:
            earlier = read_json(self._folder.result(replace(unit, number=unit.number - 1)))
            before = earlier["after"]
            sequence.recall(earlier["after"])
        with ExitStack() as stack:
            rows = stack.enter_context(ExactWriter(self._folder.rows(unit)))
            try:
                path = stack.enter_context(fetched(unit.path))
                selection = unit.selection
                if unit.begin_s is not None and not unit.goes_on:
                    selection = replace(selection, start_s=unit.begin_s)
                source = open_source(path, selection=selection, max_pixels=self._settings.options.max_pixels)
                with captured(source) as read:
                    for frame in read:
                        if before is None and frame.time_s >= unit.selection.start_s - ROUNDING_S:
                            before = sequence.memory(unit.selection.start_s)
                        scene = sequence.step(frame)
                        if before is None:
                            continue
                        rows.write(replace(scene, source=unit.source))
                        frames += 1
                        if time.monotonic() - told_s >= _TELL_S:
                            told_s = time.monotonic()
                            tell(frames)
                lost = getattr(source, "lost", 0)
                if lost:
                    problem = f"{count(lost, 'frame')} could not be decoded and were left out."
            except InputError as error:
                if not frames and (unit.is_first or isinstance(error, UnreadableMedia)):
                    raise _about(error, path=unit.path, source=unit.source) from None
                if isinstance(error, UnreadableMedia):  # what could be read is kept
                    problem = str(_about(error, path=unit.path, source=unit.source))
        if before is None:
            before = sequence.memory(unit.selection.start_s)
        result = {
            "frames": frames,
            "problem": problem,
            "tries": 1,
            "took_s": round(time.monotonic() - started_s, 3),
            "before": before,
            "after": {} if unit.selection.end_s is None else sequence.memory(unit.selection.end_s),
        }
        write_json(self._folder.result(unit), result, keep_names=True)
        return result

    def _join(self, part: Part) -> dict[str, Any]:
        units = self._folder.units(part) if part.is_video else part.photo_units(self._settings.selection)
        results = [read_json(self._folder.result(unit)) for unit in units]
        labels = labels_of(self._settings.options)
        frames = 0
        table = self._folder.table(part)
        with ParquetWriter(table, emotions=labels["emotion"], gestures=labels["gesture"]) as rows:
            for scene in joined(self._folder, part, units, results):
                rows.write(scene)
                frames += 1
        facts = {
            "file": table.name,
            "rows": _rows_in(table),
            "frames": frames,
            "size": table.stat().st_size,
            "sha256": file_sha256(table),
            "took_s": round(sum(result["took_s"] for result in results), 3),
            "units": [
                {
                    "source": unit.source,
                    "from_s": unit.selection.start_s,
                    "to_s": unit.selection.end_s,
                    **{name: result[name] for name in ("frames", "problem", "tries")},
                }
                for unit, result in zip(units, results, strict=True)
            ],
        }
        write_json(self._folder.facts(part), facts)
        self._folder.clear(part)
        return facts


class ExactWriter(JsonlWriter):
    """Scenes with times, boxes and landmarks as they were found, which records round: what is computed from those that
    are read back, as track numbers or where a finger points, is the same as if they had not been written."""

    def write(self, scene: Scene) -> None:
        """Add one scene."""
        data = {**scene.to_dict(), "time_s": float(scene.time_s)}
        for written, face in zip(data["faces"], scene.faces, strict=True):
            written["box"] = [float(value) for value in face.box_xyxy]
        for written, hand in zip(data["hands"], scene.hands, strict=True):
            written["box"] = [float(value) for value in hand.box_xyxy]
            written["landmarks"] = [[float(value) for value in point] for point in hand.landmarks_xyz]
        self._add(json_text(data).encode() + b"\n")


def joined(
    folder: BatchFolder, part: Part, units: tuple[Unit, ...], results: list[Mapping[str, Any]]
) -> Iterator[Scene]:
    """The scenes of a part whose units are finished, in order; in a video with track numbers of the whole video."""
    faces, hands = Tracker(), Tracker()
    for unit, result in zip(units, results, strict=True):
        if not result["frames"]:
            continue
        for scene in read_jsonl(folder.rows(unit)):
            if not part.is_video:
                yield scene
                continue
            yield replace(
                scene,
                faces=faces.update(scene.faces, scene.time_s),
                hands=hands.update(scene.hands, scene.time_s),
            )


def failed_result(problem: str, tries: int) -> dict[str, Any]:
    """The result of a unit that was given up."""
    return {"frames": 0, "problem": problem, "tries": tries, "took_s": 0.0}


def _about(error: InputError, *, path: str, source: str) -> InputError:
    """The error, naming the source as the user did."""
    return type(error)(str(error).replace(path, source)) if path != source else error


def _rows_in(table: Any) -> int:
    import pyarrow.parquet as pq

    try:
        with table.open("rb") as file:  # by itself pyarrow takes only names that are text
            return int(pq.read_metadata(file).num_rows)
    except OSError as error:
        raise OutputError(f"Cannot read back {table}: {error}.") from error
