"""A data set on disk: one folder per split and class, or one CSV per split; written completely or not at all.

The folder gets a file `dataset.json` that says what is in it: {"version", "source", "label_set", "labels", "caveats",
"splits": {folder: split}, "groups": {file: group}}. It also marks the folder as one that may be replaced.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from mien.data.dataset import PACKED_SUFFIX, Dataset, Split
from mien.data.readers.fer2013 import COLUMNS, SIDE, USAGES
from mien.data.readers.folders import FACTS_NAME, FactsFile
from mien.data.readers.pictures import OnProblem, OnStep, raise_problem
from mien.errors import DataError, RefusedOutput, UnreadableMedia
from mien.files.whole import spare_foreign, whole_folder
from mien.labels import EMOTIONS
from mien.pixels.images import encode_image
from mien.pixels.kinds import PHOTO_SUFFIXES

LAYOUTS = ("folders", "csv", "packed")

_FILES = (FACTS_NAME, "*.csv", *(f"*{suffix}" for suffix in sorted(PHOTO_SUFFIXES)))

_ROW = re.compile(r"row (\d+)")


def check_target(target: str | Path, layout: str, *, overwrite: bool = False) -> None:
    """Check that a data set may be written there; called before any slow work begins.

    Args:
        target: a folder, or a file for the layout `packed`.
        layout: one of `LAYOUTS`.
        overwrite: whether an existing data set may be replaced. Other files never are.

    Raises:
        RefusedOutput: it may not.
    """
    target = Path(os.path.realpath(target))
    if layout == "packed":
        if target.suffix != PACKED_SUFFIX:
            raise RefusedOutput(
                f"A packed data set must be a file that ends in {PACKED_SUFFIX}, got {target}; rename it."
            )
        if target.is_dir():
            raise RefusedOutput(f"Cannot write {target}: it is a folder; name a file.")
        if target.exists() and not overwrite:
            raise RefusedOutput(f"{target} already exists; name another file, or replace it with --overwrite.")
        return
    if target.exists() and not target.is_dir():
        raise RefusedOutput(f"Cannot write {target}: it is a file; name a folder, or use --layout packed.")
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not overwrite:
        raise RefusedOutput(f"{target} is not empty; name another folder, or replace the data set with --overwrite.")
    if not (target / FACTS_NAME).is_file():
        raise RefusedOutput(
            f"{target} holds files but no data set of mien ({FACTS_NAME}), so --overwrite leaves it alone; "
            "name another folder."
        )
    if '"consent"' in (target / FACTS_NAME).read_text("utf-8", "replace"):
        raise RefusedOutput(
            f"{target} was collected shot by shot and could not be made again, so --overwrite leaves it alone; "
            "name another folder."
        )
    spare_foreign(target, _FILES)


@contextmanager
def new_folder(target: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A place next to the target where a folder is written until it is complete; then it gets the target's name.

    Raises:
        OutputError: the target may not be written (see `check_target`), the disk is full, or the like.
    """
    check_target(target, "folders", overwrite=overwrite)
    with whole_folder(target, known=_FILES) as fresh:
        yield fresh


def write_folders(
    dataset: Dataset,
    target: str | Path,
    *,
    splits: Mapping[str, str] | None = None,
    content: Callable[[int], bytes] | None = None,
    on_problem: OnProblem = raise_problem,
    on_step: OnStep | None = None,
    overwrite: bool = False,
) -> Dataset:
    """Write `target/<split>/<label>/<picture>`.

    A picture is named after its sample: 00017.png for row 17, A1.jpg for a file A/A1.jpg.

    Args:
        dataset: what to write.
        target: the folder to create.
        splits: other names for the folders of the splits.
        content: returns the bytes of a sample's file; by default the sample is written as PNG.
        on_problem: called with each sample that cannot be read and is left out; without it the first one is raised.
        on_step: called with the number of pictures done.
        overwrite: replace an existing data set.

    Returns:
        The samples that were written.

    Raises:
        OutputError: the folder may not or cannot be written; it is then unchanged.
        DataError: the samples are not pictures, or none of them could be read.
    """
    if content is None and (dataset.samples.dtype != np.uint8 or dataset.samples.ndim not in (3, 4)):
        raise DataError(
            f"{dataset.source or 'The data set'} holds {dataset.samples.dtype} instead of pictures to write"
        )
    folders: dict[str, str] = {split: (splits or {}).get(split, split) for split in USAGES.values()}
    names = _file_names(dataset, content is None)
    written = np.zeros(len(dataset), np.bool_)
    groups: dict[str, str] = {}
    with new_folder(target, overwrite=overwrite) as folder:
        for i, name in enumerate(names):
            inner = f"{folders[str(dataset.split[i])]}/{dataset.label_set.labels[dataset.labels[i]]}"
            try:
                data = _png(dataset, i) if content is None else content(i)
            except UnreadableMedia as problem:
                on_problem(problem)
                continue
            (folder / inner).mkdir(parents=True, exist_ok=True)
            (folder / inner / name).write_bytes(data)
            written[i] = True
            if dataset.groups[i]:
                groups[f"{inner}/{name}"] = str(dataset.groups[i])
            if on_step is not None:
                on_step(i + 1)
        if not written.any():
            raise DataError(f"{dataset.source or 'The data set'} has no readable picture; nothing is written")
        kept = dataset if written.all() else dataset.where(written)
        _write_info(folder, kept, {folders[split]: split for split in kept.counts()}, groups)
    return kept


def write_csv(
    dataset: Dataset, target: str | Path, *, on_step: OnStep | None = None, overwrite: bool = False
) -> Dataset:
    """Write `target/train.csv`, `validation.csv` and `test.csv` in the form of FER2013, which `load_fer2013` reads.

    Emotions keep the numbers of FER2013 even if some of them are left out; `Usage` is the split.

    Args:
        dataset: (N, 48, 48) uint8 grey images of emotions.
        target: the folder to create.
        on_step: called with the number of rows done.
        overwrite: replace an existing data set.

    Returns:
        The data set, unchanged.

    Raises:
        OutputError: the folder may not or cannot be written; it is then unchanged.
        DataError: the samples are not such images.
    """
    if dataset.samples.shape[1:] != (SIDE, SIDE) or any(label not in EMOTIONS for label in dataset.label_set.labels):
        raise DataError(
            f"The layout csv is for {SIDE}x{SIDE} grey images of {', '.join(EMOTIONS.labels)}; "
            f"got samples of {dataset.samples.shape[1:]} with the labels {', '.join(dataset.label_set.labels)}"
        )
    codes = [EMOTIONS.index(label) for label in dataset.label_set.labels]
    words = [str(value) for value in range(256)]
    done = 0
    with new_folder(target, overwrite=overwrite) as folder:
        for usage, split in USAGES.items():
            rows = np.flatnonzero(dataset.split == split)
            if not len(rows):
                continue
            with (folder / f"{split}.csv").open("w", encoding="ascii", newline="") as file:
                file.write(",".join(COLUMNS) + "\n")
                for i in rows:
                    pixels = " ".join([words[value] for value in dataset.samples[i].ravel().tolist()])
                    file.write(f"{codes[dataset.labels[i]]},{pixels},{usage}\n")
                    done += 1
                    if on_step is not None:
                        on_step(done)
        _write_info(folder, dataset, {f"{split}.csv": split for split in dataset.counts()}, {})
    return dataset


def _write_info(folder: Path, dataset: Dataset, splits: Mapping[str, Split], groups: Mapping[str, str]) -> None:
    facts = asdict(
        FactsFile(
            source=dataset.source,
            label_set=dataset.label_set.name,
            labels=dataset.label_set.labels,
            caveats=dataset.caveats,
            splits=splits,
            groups=groups,
        )
    )
    if not groups:
        del facts["groups"]
    (folder / FACTS_NAME).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _png(dataset: Dataset, i: int) -> bytes:
    image = dataset.samples[i]
    if image.ndim == 3:
        return encode_image(image, ".png")
    return bytes(cv2.imencode(".png", image)[1])  # one channel: a third of the size of a grey picture stored in colour


def _file_names(dataset: Dataset, as_png: bool) -> list[str]:
    """A file name for each sample, unique within its split and label."""
    width = max(5, len(str(len(dataset))))
    names, taken = [], set()
    for i in range(len(dataset)):
        path = PurePosixPath(f"row {i + 1}" if dataset.names is None else str(dataset.names[i]))
        row = _ROW.fullmatch(path.name)
        name = f"{int(row.group(1)):0{width}d}.png" if row else f"{path.stem}.png" if as_png else path.name
        key = (str(dataset.split[i]), int(dataset.labels[i]), name.casefold())
        if key in taken:  # the same name in two folders of one class
            name = f"{'-'.join(path.parent.parts)}-{name}"
            key = (*key[:2], name.casefold())
        if key in taken:
            raise DataError(f"{dataset.source} has two samples called {path}; their names must differ")
        taken.add(key)
        names.append(name)
    return names
