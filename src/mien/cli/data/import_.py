"""`mien data import`: turns folders of pictures, a CSV of pictures, or video frames into a data set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from mien.cli.console.overview import Problems, fractions_of, one_of, reasons, say_caveats, say_counts, seeds_of
from mien.cli.console.reading import watched
from mien.data.classes import some
from mien.errors import DataError, RefusedOutput
from mien.files.plan import WritePlan
from mien.labels import LABEL_SETS
from mien.words import kept, say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mien.data.crops import Cropper
    from mien.data.dataset import Dataset
    from mien.data.readers.pictures import Listing
    from mien.labels import LabelSet
    from mien.pixels.preprocess import InputSpec

_LAYOUTS = ("folders", "packed")
_COLOURS = ("grey", "rgb")


def import_(
    source: Annotated[
        Path,
        typer.Argument(
            help="A folder with one folder per class (or split and class), a CSV with columns path and label, "
            "or a folder with videos and annotations as in Aff-Wild.",
            metavar="SOURCE",
        ),
    ],
    out: Annotated[Path, typer.Argument(help="Folder to create, or a .npz file with --layout packed.", metavar="OUT")],
    task: Annotated[
        str | None, typer.Option(help="emotion (faces) or gesture (hands); by default the class names decide.")
    ] = None,
    layout: Annotated[
        str, typer.Option(help="folders (one file per picture) or packed (one file that loads fast).")
    ] = "folders",
    every: Annotated[int, typer.Option(min=1, help="Take every N-th frame of a video.")] = 1,
    detect: Annotated[
        bool | None,
        typer.Option(
            "--detect/--no-detect",
            help="Find the face or hand and crop to it, or take pictures whole. By default video frames are "
            "cropped (by their boxes if they have any) and pictures are not.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=8,
            max=1024,
            help="Height and width in pixels; by default 48 for emotion, 100 for gesture. Without it, files taken "
            "whole into folders are copied unchanged.",
        ),
    ] = None,
    colour: Annotated[
        str | None, typer.Option(help="grey or rgb; by default grey for emotion, rgb for gesture.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="The person or video of all pictures that have none.")] = None,
    split: Annotated[str, typer.Option(help="given (by folders or column, otherwise all train) or random.")] = "given",
    validation: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="A group (person, video) for validation; may be repeated.")
    ] = None,
    test: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group for test; may be repeated.")] = None,
    fractions: Annotated[
        str | None,
        typer.Option(help="For a random split: share for test, share of the rest for validation. [default: 0.1,0.1]"),
    ] = None,
    seed: Annotated[
        str | None, typer.Option(help="For a random split: seeds for drawing test and validation. [default: 1,1]")
    ] = None,
    i_know: Annotated[
        bool, typer.Option("--i-know", help="Split at random even though pictures of a group resemble one another.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing data set in OUT.")] = False,
) -> None:
    """Import any labelled pictures or videos as a data set, with the person or video as group.

    What cannot be read is reported and left out; the rest is done, and the exit code is 1. Video frames with no face
    (or hand) are left out and counted.
    """
    from mien.data.crops import check_task
    from mien.data.layouts import check_target
    from mien.data.readers.frames import has_frames_layout

    one_of("layout", layout, _LAYOUTS)
    if colour is not None:
        one_of("colour", colour, _COLOURS)
    wish = _Wish(task and check_task(task), detect, size, colour, every)
    choice = _split_of(split, validation or [], test or [], fractions, seed, i_know)
    plan = WritePlan((source,), overwrite=overwrite)
    if layout == "packed":
        plan.file(out, "OUT")
    check_target(out, layout, overwrite=overwrite)
    here, there = source.resolve(), out.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise RefusedOutput(f"Cannot write {out}: it lies inside {source}, or {source} inside it; name another folder.")
    with Problems("file") as problems:
        is_video = source.is_dir() and has_frames_layout(source)
        made = _from_frames(source, wish, problems) if is_video else _from_pictures(source, wish, layout, problems)
        made = replace(made, dataset=choice.applied(_grouped(made.dataset, group)))
        dataset = _write(made, out, layout, problems, overwrite)
        _say(replace(made, dataset=dataset), source, out)


@dataclass(frozen=True)
class _Wish:
    """What the options ask for."""

    task: str | None
    detect: bool | None
    size: int | None
    colour: str | None
    every: int

    def spec(self, label_set: LabelSet | None) -> InputSpec:
        """Size, colour and crop; the task's own by default."""
        from mien.data.crops import crop_spec
        from mien.pixels.preprocess import InputSpec

        size_hw = (self.size, self.size) if self.size else None
        if self.task is None and label_set and self._task(label_set) is None:
            if size_hw is None:
                others = [
                    label for label in label_set.labels if all(label not in known for known in LABEL_SETS.values())
                ]
                verb = "is" if len(others) == 1 else "are"
                raise typer.BadParameter(
                    f"{some(others, most=3)} {verb} neither among the emotions nor the gestures that mien knows: "
                    "state how large the pictures should be",
                    param_hint="--size",
                )
            return InputSpec(size_hw=size_hw, colour="grey" if self.colour == "grey" else "rgb")
        return crop_spec(self.task_for(label_set), size_hw=size_hw, colour=self.colour)  # type: ignore[arg-type]

    def task_for(self, label_set: LabelSet | None) -> str:
        """The given task, or the one that the labels belong to."""
        found = self.task or (self._task(label_set) if label_set else "emotion")
        if found is None:
            raise typer.BadParameter("state whether to find faces (emotion) or hands (gesture)", param_hint="--task")
        return found

    def _task(self, label_set: LabelSet) -> str | None:
        return next((task for task in ("emotion", "gesture") if label_set.name.startswith(task)), None)


@dataclass(frozen=True)
class _Made:
    """A data set before it is written; if files are copied, the files to copy."""

    dataset: Dataset
    files: tuple[Path, ...] = ()
    left_out: Counter[str] | None = None


@dataclass(frozen=True)
class _Split:
    validation: list[str]
    test: list[str]
    draw: tuple[tuple[float, float], list[int]] | None
    i_know: bool

    def applied(self, dataset: Dataset) -> Dataset:
        from mien.data.split import split_at_random, split_by_group

        if self.draw:
            return split_at_random(dataset, fractions=self.draw[0], seeds=self.draw[1], i_know=self.i_know)
        if self.validation or self.test:
            return split_by_group(dataset, validation=self.validation, test=self.test)
        return dataset


def _split_of(
    split: str, validation: list[str], test: list[str], fractions: str | None, seed: str | None, i_know: bool
) -> _Split:
    is_random = one_of("split", split, ("given", "random")) == "random"
    if is_random and (validation or test):
        raise typer.BadParameter(
            "groups can be named only without --split random",
            param_hint="--validation" if validation else "--test",
        )
    if not is_random and (fractions or seed or i_know):
        hint = "--fractions" if fractions else "--seed" if seed else "--i-know"
        raise typer.BadParameter("is only for --split random", param_hint=hint)
    draw = (fractions_of(fractions or "0.1"), seeds_of(seed or "1")) if is_random else None
    return _Split(validation, test, draw, i_know)


def _from_frames(source: Path, wish: _Wish, problems: Problems) -> _Made:
    from mien.data.crops import Cropper, check_task
    from mien.data.readers.frames import find_clips, load_frames, steps_of

    clips = find_clips(source, on_problem=problems)
    total = steps_of(clips, every=wish.every)
    task = check_task(wish.task_for(None))
    with (
        Cropper(task, wish.spec(None)) as cropper,
        watched(say("data.frames_of", name=source.name), total=total) as on_step,
    ):
        frames = load_frames(clips, cropper, every=wish.every, detect=wish.detect, on_problem=problems, on_step=on_step)
    dataset = replace(frames.dataset, source=source.resolve().name)
    return _Made(_said(dataset, frames.several, f"kept.frames_several_{cropper.what}s"), left_out=frames.left_out)


def _from_pictures(source: Path, wish: _Wish, layout: str, problems: Problems) -> _Made:
    from mien.data.crops import Cropper, check_task
    from mien.data.readers.asl import unread
    from mien.data.readers.pictures import missing_labels, read_listing

    listing = _listing(source, problems)
    is_copy = layout == "folders" and not wish.detect and wish.size is None and wish.colour is None
    if is_copy:
        dataset = unread(listing)
        caveats = dict.fromkeys(dataset.caveats + missing_labels(dataset.label_set, dataset.labels))
        files = tuple(picture.path for picture in listing.pictures)
        return _Made(replace(dataset, caveats=tuple(caveats)), files)
    spec = wish.spec(listing.label_set)
    with watched(say("page_file.reading", name=source.name), total=len(listing.pictures)) as on_step:
        if not wish.detect:
            return _Made(read_listing(listing, spec, on_problem=problems, on_step=on_step))
        with Cropper(check_task(wish.task_for(listing.label_set)), spec) as cropper:
            largest = _Largest(cropper)
            dataset = read_listing(listing, spec, crop=largest, on_problem=problems, on_step=on_step)
    return _Made(_said(dataset, largest.several, f"kept.pictures_several_{cropper.what}s"))


class _Largest:
    """Crops to the largest face or hand of a picture; counts the pictures with several."""

    def __init__(self, cropper: Cropper) -> None:
        self._cropper = cropper
        self.several = 0

    def __call__(self, image_rgb: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
        seen = self._cropper.find(image_rgb)
        if not seen:
            raise DataError(f"{path} is left out: no {self._cropper.what} was found in it")
        self.several += len(seen) > 1
        return self._cropper.cut(image_rgb, seen[0])


def _listing(source: Path, problems: Problems) -> Listing:
    from mien.data.dataset import PACKED_SUFFIX
    from mien.data.readers.folders import find_folders
    from mien.data.readers.load import is_fer2013
    from mien.data.readers.tables import find_table

    if not source.is_file():
        return find_folders(source, on_problem=problems)
    if source.suffix.lower() == PACKED_SUFFIX:
        raise DataError(f"{source} is already a packed data set; every verb reads it directly")
    if is_fer2013(source):
        raise DataError(f"{source} is FER2013; import it with: mien data fer2013 {source} OUT")
    return find_table(source, on_problem=problems)


def _grouped(dataset: Dataset, group: str | None) -> Dataset:
    if not group:
        return dataset
    return replace(dataset, groups=np.where(dataset.groups == "", group, dataset.groups))


def _said(dataset: Dataset, several: int, key: str) -> Dataset:
    """The data set with a caveat about pictures with several faces or hands."""
    if not several:
        return dataset
    return replace(dataset, caveats=(*dataset.caveats, kept(key, n=several)))


def _write(made: _Made, out: Path, layout: str, problems: Problems, overwrite: bool) -> Dataset:
    from mien.data.layouts import write_folders
    from mien.data.readers.asl import whole_file

    dataset = made.dataset
    if layout == "packed":
        dataset.save(out)
        return dataset
    with watched(say("data.writing", name=out.name), total=len(dataset)) as on_step:
        content = (lambda i: whole_file(made.files[i])) if made.files else None
        kept = write_folders(dataset, out, content=content, on_problem=problems, on_step=on_step, overwrite=overwrite)
    for label in sorted(set(dataset.labels.tolist()) - set(kept.labels.tolist())):
        problems(DataError(f"{dataset.source} has no readable picture of {dataset.label_set.labels[label]!r}"))
    return kept


def _say(made: _Made, source: Path, out: Path) -> None:
    dataset = made.dataset
    groups = len(set(dataset.groups.tolist()) - {""})
    kind = say("data.import.copies")
    if not made.files:
        height, width = dataset.samples.shape[1:3]
        colour = "rgb" if dataset.samples.ndim == 4 else "grey"
        kind = say("data.import.kind", height=height, width=width, colour=colour)
    pictures = say("count.pictures", n=len(dataset))
    facts = {"source": source, "out": out, "pictures": pictures, "kind": kind, "labels": dataset.label_set.name}
    if groups:
        typer.echo(say("data.import.read", **facts, groups=say("count.groups", n=groups)))
    else:
        typer.echo(say("data.import.read_ungrouped", **facts))
    say_counts(dataset)
    if made.left_out:
        typer.echo(say("data.import.frames_left_out", reasons=reasons(made.left_out)))
    say_caveats(dataset)
