"""Model folders of taught gestures: the package's network with heads beside it, and the takes they were fitted on."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.classes import label_of, plain
from mien.errors import InputError, ModelError, RefusedOutput, UnknownName
from mien.files.targets import check_name
from mien.files.whole import check_folder, remove_folder, spare_foreign
from mien.labels import GESTURES, LETTERS, NOTHING, check_label
from mien.models.artifact import FILES, Artifact, load_artifact, write_artifact, zoo_artifact, zoo_names
from mien.models.manifest import Manifest, Score, model_name
from mien.models.session import Session
from mien.stages.classify import GESTURE_MODEL, GestureClassifier
from mien.teach.bank import load_bank
from mien.teach.card import card_text
from mien.teach.examples import ExampleReader, Note, Problem, Step, takes_of
from mien.teach.fit import Estimate, Fitted, Fitter
from mien.teach.graph import taught_model_bytes
from mien.teach.takes import TAKES_FILE, Take, read_takes, takes_bytes
from mien.wording import trimmed
from mien.words import languages, words

TOLERANCE = 1e-3
"""Largest difference of a probability between the written model and the heads as they were fitted."""

CLOSE = 0.1
"""A gesture is said to be close to another one from this share of its examples on."""

RIGHT, SURE = "read right: ", "surely read right: "
KNOWN_BEFORE, KNOWN_AFTER = "known gestures read right before", "known gestures read right"
MISTAKEN = "other hands read as a taught gesture"
_COMMAND = "mien teach --list"


@dataclass(frozen=True, kw_only=True)
class Taught:
    """A model folder of taught gestures.

    Args:
        artifact: the model.
        takes: the examples, of all gestures.
        close_to: by gesture, the known gestures that the package's model takes at least a tenth of its examples for,
            and which share; only after teaching.
        estimates: by gesture; only after teaching.
    """

    artifact: Artifact
    takes: tuple[Take, ...]
    close_to: dict[str, dict[str, float]] = field(default_factory=dict)
    estimates: dict[str, Estimate] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The taught gestures, in the order they were first taught."""
        return tuple(dict.fromkeys(take.label for take in self.takes))

    def takes_of(self, label: str) -> tuple[Take, ...]:
        """The takes of one gesture."""
        return tuple(take for take in self.takes if take.label == label)

    def score(self, metric: str) -> float | None:
        """A figure of the manifest."""
        return next((score.value for score in self.artifact.manifest.scores if score.metric == metric), None)


def teach_gesture(
    name: str,
    origin: str,
    folder: str | Path,
    *,
    replace: bool = False,
    on_problem: Problem | None = None,
    on_step: Step | None = None,
    on_note: Note | None = None,
) -> Taught:
    """Teach a gesture from a video, a photo, or a folder of them, into a model folder.

    Args:
        name: of the gesture, in any script. Another take is added if the folder knows it already.
        origin: path or pattern; each video, and the photos of each folder, are a take.
        folder: a new folder, or one that gestures were taught into before.
        replace: forget the gesture's earlier takes.
        on_problem: gets each file that cannot be used, or only in part; without it the first is raised.
        on_step: called with the number of pictures looked at.
        on_note: gets a sentence about files and frames that were not looked at.

    Returns:
        The model. `mien.look(photo, gesture_model="mine")` reads with it.

    Raises:
        InputError: the name cannot be used, or too little is seen.
        UnreadableMedia: there is nothing to read.
        RefusedOutput: the folder holds something else.
        MissingExtra: onnx is not installed.
    """
    label = checked_name(name, folder)
    with ExampleReader() as reader:
        takes = takes_of(origin, label, reader, on_problem=on_problem, on_step=on_step, on_note=on_note)
    return teach_takes(takes, folder, replace=replace)


def teach_takes(takes: Sequence[Take], folder: str | Path, *, replace: bool = False) -> Taught:
    """Add takes to a model folder, which is created if it is missing, and fit it anew.

    Raises:
        InputError, RefusedOutput, MissingExtra: as for `teach_gesture`.
        OutputError: the folder cannot be written; it is as it was.
    """
    folder = Path(folder)
    while True:
        seen = _stored(folder)
        takes = [dataclasses.replace(take, label=checked_name(take.label, folder)) for take in takes]
        earlier = () if seen is None else taught_model(folder).takes
        kept = [take for take in earlier if not (replace and take.label in {each.label for each in takes})]
        with suppress(_Changed):
            return _written(folder, (*kept, *takes), seen)


def forget_gesture(name: str, folder: str | Path) -> Taught | None:
    """Forget a taught gesture; the model is fitted anew without it.

    Returns:
        The model; None if it was its only gesture, for then the folder is removed.

    Raises:
        UnknownName: the model does not know the gesture.
        ModelError: the folder is not one of taught gestures.
        OutputError: the folder cannot be written or removed; it is as it was.
    """
    folder = Path(folder)
    while True:
        seen = _stored(folder)
        taught = taught_model(folder)
        label = _meant(name, taught.labels)
        if label is None:
            raise UnknownName("taught gesture", name, taught.labels)
        check_folder(folder)
        kept = tuple(take for take in taught.takes if take.label != label)
        with suppress(_Changed):
            if kept:
                return _written(folder, kept, seen)
            remove_folder(folder, known=(*FILES, TAKES_FILE), check=_unchanged(folder, seen))
            return None


def taught_model(folder: str | Path) -> Taught:
    """A model folder that gestures were taught into.

    Raises:
        UnknownName, ModelError: there is no such folder, it is damaged, or nothing was taught into it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(f"There is no model folder {folder}; teach a gesture first: mien teach NAME --from CAMERA.")
    if not (folder / TAKES_FILE).is_file():
        raise ModelError(f"Nothing was taught into {folder}: it has no {TAKES_FILE}; name a folder made by mien teach.")
    return Taught(artifact=load_artifact(folder), takes=read_takes(folder / TAKES_FILE))


def checked_name(name: str, folder: str | Path) -> str:
    """The label that a name means: as it was taught before, otherwise as given.

    Raises:
        InputError: it is no label, or means a gesture that the package knows, in any language or word for it.
        RefusedOutput: the folder is not one that gestures can be taught into.
        OutputError: it cannot be written.
        ModelError: it is damaged.
    """
    folder = Path(folder)
    label = _spaced(unicodedata.normalize("NFC", trimmed(name)))
    try:
        check_label(label)
    except ValueError as exc:
        raise InputError(f"{exc}.") from exc
    meant = None if label.upper() in LETTERS else label_of(label, GESTURES)  # a letter may be taught as such
    for known in GESTURES.labels:
        told = (words(tag).label("gesture", known) for tag in languages())
        if meant == known or plain(label) in map(plain, told):
            raise InputError(f"mien knows {known} already; give your gesture another name than {name!r}.")
    check_name(folder, "--model")
    if str(folder) in zoo_names():
        raise RefusedOutput(f"{folder} is the name of a model in the package; name another folder.")
    if folder.exists() and not folder.is_dir():
        raise RefusedOutput(f"{folder} is a file; name a folder.")
    check_folder(folder)
    if not folder.exists() or not any(folder.iterdir()):
        return label
    if not (folder / TAKES_FILE).is_file():
        raise RefusedOutput(
            f"{folder} exists, and nothing was taught into it: it has no {TAKES_FILE}; name a new folder, or one made "
            "by mien teach."
        )
    spare_foreign(folder, (*FILES, TAKES_FILE))
    return _meant(label, taught_model(folder).labels) or label


def _meant(name: str, labels: Sequence[str]) -> str | None:
    """The one of the labels that a name means, whatever its case and the width of its spaces."""
    return next((label for label in labels if plain(_spaced(label)) == plain(_spaced(name))), None)


def _spaced(name: str) -> str:
    """A name with one space wherever it has several, or wide ones, or a tab."""
    return " ".join(name.split())


class _Changed(Exception):  # a signal between functions of this module
    """Another run taught into the folder meanwhile."""


def _stored(folder: Path) -> bytes | None:
    """The file of takes as it is now; None without one."""
    path = folder / TAKES_FILE
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError as exc:
        raise ModelError(f"The examples {path} cannot be read; restore the file, or teach into a new folder.") from exc


def _unchanged(folder: Path, seen: bytes | None) -> Callable[[], None]:
    """A check that raises _Changed if the takes are no longer those that were seen before."""

    def check() -> None:
        if _stored(folder) != seen:
            raise _Changed

    return check


def _written(folder: Path, takes: Sequence[Take], seen: bytes | None) -> Taught:
    """Fit and write; _Changed, and nothing written, if the takes are no longer those that were seen before."""
    base = zoo_artifact(GESTURE_MODEL)
    if base.manifest.label_set != GESTURES:
        raise ModelError(f"The package's {base.manifest.title} has other labels than the bank of hands.")
    with Fitter(base, load_bank()) as fitter:
        fitted = fitter.fit(takes)
        close_to = {label: _close(fitter, label, takes) for label in fitted.heads.labels}
        labels, order = _labels(fitted.heads.labels)
        content = taught_model_bytes(base.model_path.read_bytes(), base.manifest.temperature, fitted.heads, order)
        manifest = _manifest(folder, base.manifest, labels, fitted, takes)
        _check_written(content, manifest, takes, fitter, fitted, order)
    card = card_text(manifest, base.manifest, takes, fitted)
    extra = {TAKES_FILE: takes_bytes(takes)}
    artifact = write_artifact(folder, content, manifest, card, extra=extra, check=_unchanged(folder, seen))
    return Taught(artifact=artifact, takes=tuple(takes), close_to=close_to, estimates=dict(fitted.estimates))


def _labels(own: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    """The model's labels, `none` last as ever, and which output each is."""
    known = [label for label in GESTURES.labels if label != NOTHING]
    order = [GESTURES.index(label) for label in known] + [len(GESTURES) + i for i in range(len(own))]
    return (*known, *own, NOTHING), [*order, GESTURES.index(NOTHING)]


def _close(fitter: Fitter, label: str, takes: Sequence[Take]) -> dict[str, float]:
    answers = [answer for take in takes if take.label == label for answer in fitter.base_answers(take.samples)]
    shares = {answer: number / len(answers) for answer, number in Counter(answers).most_common() if answer != NOTHING}
    return {answer: share for answer, share in shares.items() if share >= CLOSE}


def _manifest(folder: Path, base: Manifest, labels: tuple[str, ...], fitted: Fitted, takes: Sequence[Take]) -> Manifest:
    version = 1
    if (folder / TAKES_FILE).is_file():
        earlier = load_artifact(folder).manifest.version
        version = int(earlier) + 1 if earlier.isdecimal() else 1
    return Manifest(
        name=model_name(folder) or "taught",
        version=str(version),
        task="gesture",
        labels=labels,
        input=base.input,
        threshold=base.threshold,
        licence=base.licence,
        origin=f"taught by mien teach beside {base.title}, from {len(takes)} take{'s' * (len(takes) != 1)}",
        scores=tuple(_scores(fitted, base.threshold)),
    )


def _scores(fitted: Fitted, threshold: float) -> list[Score]:
    scores = []
    for label, estimate in fitted.estimates.items():
        several = estimate.takes > 1
        split = "each take left out in turn" if several else "fifths of the only take left out in turn: promises much"
        at = f"{estimate.examples} examples in {estimate.takes} takes"
        for metric, value, told in ((RIGHT, estimate.right, "no"), (SURE, estimate.sure, f"{threshold:g} as")):
            scores.append(
                Score(
                    metric=f"{metric}{label}",
                    value=round(value, 4),
                    data="your own takes",
                    split=split,
                    protocol=f"{at}, {told} threshold",
                    command=_COMMAND,
                )
            )
    known = f"{fitted.known_hands} hands that show known gestures"
    for metric, value, asked in (
        (KNOWN_BEFORE, fitted.known_before, known),
        (KNOWN_AFTER, fitted.known_after, known),
        (MISTAKEN, fitted.mistaken, "hands that show none"),
    ):
        scores.append(
            Score(
                metric=metric,
                value=round(value, 4),
                data="the bank of hands",
                split="fifths left out of the heads in turn",
                protocol=f"{asked}, which the package's network was trained on, no threshold",
                command=_COMMAND,
            )
        )
    return scores


def _check_written(
    content: bytes, manifest: Manifest, takes: Sequence[Take], fitter: Fitter, fitted: Fitted, order: Sequence[int]
) -> None:
    """That the written model says of the takes what the heads said; ModelError otherwise."""
    samples: NDArray[np.float32] = np.concatenate([take.samples for take in takes])
    artifact = Artifact(Path(manifest.name), manifest)
    session = Session(artifact, weights=content)
    with GestureClassifier(session) as written:
        found = written.probabilities(samples)
    wanted = fitter.probabilities(samples, fitted.heads)[:, order]
    difference = float(np.abs(found - wanted).max())
    if not difference <= TOLERANCE:
        raise ModelError(f"The written model differs from what was fitted by {difference:.1e}; please report this.")
