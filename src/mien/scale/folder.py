"""The folder of a batch: its files alone say what is finished, whoever was killed in between.

job.json              what is asked for; written before anything else
parts/part-N.parquet  the rows of a part, and part-N.json: their number and hash, and what became of each unit
work/                 rows of units whose part is not finished; gone at the end. Of `mien look --resume` also which
                      files it is writing
manifest.json         all parts, at the end
failures.jsonl        what could not be read, at the end, if anything
batch.log             what happened when
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mien.errors import DataError, OutputError, RefusedOutput
from mien.files.locks import busy, hold_folder, is_held
from mien.files.targets import output_error
from mien.files.whole import write_whole
from mien.resource import Resource
from mien.scale.job import Part, Unit
from mien.wording import as_text, json_text

KNOWN = ("job.json", "parts", "work", "manifest.json", "failures.jsonl", "batch.log")
"""What a batch has in its folder."""

_HALF_WRITTEN = re.compile(r"(job\.json|manifest\.json|failures\.jsonl)(\.\d)?\.part")
_ORPHANS_S = 5.0
_PAUSE_S = 0.05


class BatchFolder:
    """Paths and small files of one batch.

    Args:
        path: the folder; it need not exist.
        resumes: whether it is the work that `mien look --resume` keeps, which nobody has named.
    """

    def __init__(self, path: str | Path, *, resumes: bool = False) -> None:
        self.path = Path(path)
        self._resumes = resumes
        self.work = self.path / "work"
        self.parts = self.path / "parts"
        self.job = self.path / "job.json"
        self.manifest = self.path / "manifest.json"
        self.failures = self.path / "failures.jsonl"
        self.log = self.path / "batch.log"
        self.progress = self.work / "progress.json"
        self.outputs = self.work / "outputs.json"

    @property
    def named(self) -> str:
        """What it is to the user, as a sentence about it begins: "--out results belongs to a batch"."""
        if self._resumes:
            return f"--resume cannot go on with {self.path}, the work of an earlier run"
        return f"--out {self.path} belongs to a batch"

    @property
    def afresh(self) -> str:
        """How to do without what is in it."""
        return f"delete {self.path} to begin again" if self._resumes else "choose a new folder"

    def rows(self, unit: Unit) -> Path:
        """The scenes of a unit, as JSON lines."""
        return self.work / f"{unit.key}.jsonl"

    def result(self, unit: Unit) -> Path:
        """What became of a unit; it is finished when this exists."""
        return self.work / f"{unit.key}.json"

    def plan(self, part: Part) -> Path:
        """The units of a video; it has been split when this exists."""
        return self.work / f"{part.number:06d}.units.json"

    def table(self, part: Part) -> Path:
        """The Parquet file of a part."""
        return self.parts / f"part-{part.number:06d}.parquet"

    def facts(self, part: Part) -> Path:
        """What is in the Parquet file of a part; it is finished when this exists."""
        return self.table(part).with_suffix(".json")

    @property
    def tables(self) -> list[Path]:
        """The Parquet files of finished parts, in order; none that a killed worker left half written."""
        return sorted(path for path in self.parts.glob("*.parquet") if not path.name.endswith(".part.parquet"))

    def units(self, part: Part) -> tuple[Unit, ...]:
        """The units of a video that has been split."""
        with contents_of(self.plan(part)):
            return tuple(Unit.from_dict(unit) for unit in read_json(self.plan(part))["units"])

    def write_units(self, part: Part, units: Sequence[Unit]) -> None:
        """Keep the units of a video."""
        write_json(self.plan(part), {"units": [unit.to_dict() for unit in units]}, keep_names=True)

    def read_facts(self, part: Part) -> dict[str, Any]:
        """What `facts` holds of a finished part.

        Raises:
            DataError: it is damaged.
        """
        facts: dict[str, Any] = read_json(self.facts(part))
        with contents_of(self.facts(part)):  # what others go by must be there
            return {
                **facts,
                **{name: facts[name] for name in ("file", "rows", "frames", "sha256")},
                "units": [{**unit, "source": unit["source"], "problem": unit["problem"]} for unit in facts["units"]],
            }

    def clear(self, part: Part) -> None:
        """Remove what lies in `work` of a finished part."""
        for path in self.work.glob(f"{part.number:06d}[-.]*"):
            path.unlink(missing_ok=True)

    def clear_leftovers(self, stem: str) -> None:
        """Remove what a killed worker left half written of a file in `work` or `parts`."""
        for folder in (self.work, self.parts):
            for path in folder.glob(f"{stem}.*part*"):
                if path.name.endswith((".part", ".part.parquet")) and not is_held(path):
                    path.unlink(missing_ok=True)

    def check(self) -> None:
        """Refuse a folder that holds other things than a batch.

        Raises:
            RefusedOutput: it does.
        """
        if self.path.exists() and not self.path.is_dir():
            if self._resumes:
                raise RefusedOutput(f"--resume keeps its work in {self.path}, which is a file; move it.")
            raise RefusedOutput(f"--out {self.path} is a file; name a folder.")
        there = sorted(path.name for path in self.path.iterdir()) if self.path.is_dir() else []
        foreign = [name for name in there if name not in KNOWN and not _HALF_WRITTEN.fullmatch(name)]
        if not self.job.exists():  # a run that ended before it wrote that has these, without contents
            foreign += [name for name in there if name in KNOWN and not self._is_bare(name)]
        if foreign:
            what = foreign[0]
            if self._resumes:
                raise RefusedOutput(
                    f"--resume keeps its work in {self.path}, which holds {what}, something else; move that folder, or "
                    "name another result."
                )
            raise RefusedOutput(
                f"--out {self.path} holds {what}, which does not belong to a batch; choose a new folder."
            )

    def _is_bare(self, name: str) -> bool:
        path = self.path / name
        return name == self.log.name or (name in ("parts", "work") and path.is_dir() and not any(path.iterdir()))


class HeldFolder(Resource):
    """The folder of a batch, made and locked: one run at a time.

    Raises:
        RefusedOutput: another run is at work in it.
        OutputError: it cannot be made.
    """

    def __init__(self, folder: BatchFolder) -> None:
        try:
            folder.parts.mkdir(parents=True, exist_ok=True)
            folder.work.mkdir(exist_ok=True)
            self._held = hold_folder(folder.path)
        except OSError as error:
            raise output_error(folder.path, error) from error
        try:
            _clear_orphans(folder)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            os.close(held)


def _clear_orphans(folder: BatchFolder) -> None:
    """Remove half-written files of a killed run, whose workers end at once, but maybe not yet."""
    until_s = time.monotonic() + _ORPHANS_S
    own = (path for path in folder.path.iterdir() if _HALF_WRITTEN.fullmatch(path.name))
    for path in [*own, *folder.work.glob("*.part*"), *folder.parts.glob("*.part*")]:
        while is_held(path):
            if time.monotonic() > until_s:
                raise busy(path)
            time.sleep(_PAUSE_S)
        path.unlink(missing_ok=True)


def write_json(path: Path, data: object, *, keep_names: bool = False) -> None:
    """Write a small file, all or nothing.

    Args:
        path: the file.
        data: what it holds.
        keep_names: names in it are read back as they are, so that files are found by them, even where no other program
            than Python takes them for text; otherwise they are as in all records.

    Raises:
        OutputError: the disk is full or the like.
    """
    text = json.dumps(data, ensure_ascii=False, indent=1) if keep_names else json_text(data, indent=1)
    write_whole(path, text.encode("utf-8", "backslashreplace"))


@contextmanager
def contents_of(path: Path) -> Iterator[None]:
    """Where JSON of a file is taken apart: what is not as `write_json` wrote it is damage, and no fault of ours.

    Raises:
        DataError: it is damaged.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged or not the expected file; give the folder of a `mien batch`.")


def read_json(path: Path) -> Any:
    """What `write_json` wrote.

    Raises:
        DataError: the file is missing or something else.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; give the folder of a `mien batch`.") from error
    except OSError as error:
        raise DataError(f"Cannot read {path}: {(error.strerror or str(error)).lower()}.") from error
    except ValueError as error:
        raise _damaged(path) from error


class Log(Resource):
    """`batch.log`: one line per thing that happened, with the time; workers write their warnings into it as well."""

    def __init__(self, path: Path) -> None:
        try:
            self.file = path.open("ab", buffering=0)
        except OSError as error:
            raise output_error(path, error) from error

    def say(self, text: str) -> None:
        """Add a line; a full disk ends the run elsewhere."""
        with suppress(OSError, OutputError):
            self.file.write(as_text(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n").encode())

    def close(self) -> None:
        self.file.close()
