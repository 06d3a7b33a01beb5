"""Your own pictures as a data set: faces or hands cut out, blurred and repeated ones refused, the person as group.

OUT/<label>/<person>_<number>.png, and OUT/dataset.json with the groups and who agreed when.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.data.classes import is_folder_name, label_of
from mien.data.crops import Cropper
from mien.data.likeness import perceptual_hashes
from mien.data.readers.folders import FACTS_NAME, FactsFile, read_facts
from mien.errors import DataError, OutputError, UnknownName
from mien.files.targets import output_error
from mien.files.whole import write_whole
from mien.labels import EMOTIONS, GESTURES, LabelSet, Task
from mien.pixels.images import encode_image, read_image
from mien.schema import checked

SHARPNESS = 0.25
"""Least sharpness of a shot. Measured on 39 faces of 7 photos and 3 clips: sharp ones have 0.37 to 1.12; blurred by a
Gaussian of 2 % of the face's side 0.08 to 0.23, smeared by motion over 12 % of it 0.09 to 0.28. Shrunk to 48 pixels all
of six faces are above it, to 32 two, to 24 one. In the hand clip it lies where the lens finds its focus."""

ALIKE_BITS = 4
"""Bits of 64 in which near-identical shots differ at most. Measured on faces and hands of four clips: noise, another
brightness and strong compression change 4 at most in 281 of 282 cases; a second later 4 to 21 differ in the median."""

KEPT = "kept"
BLURRED = "blurred or too small"
ALIKE = "too similar to a kept one"

_MEASURE_HW = (48, 48)
_LABEL_SETS: dict[Task, LabelSet] = {"emotion": EMOTIONS, "gesture": GESTURES}


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000, ICPR) over the variance of the picture.

    The ratio, unlike the numerator alone, is the same in weak light and contrast. Noise counts as sharpness.

    Args:
        grey: (48, 48) uint8; in another size the same picture has another value.
    """
    contrast = float(grey.astype(np.float64).var())
    return float(cv2.Laplacian(grey, cv2.CV_64F).var()) / max(contrast, 1.0)


@dataclass(frozen=True, kw_only=True)
class Consent:
    """Who agreed to what: `date` as YYYY-MM-DD, the sentence they were shown as `text`."""

    date: str
    person: str
    label: str
    text: str


@dataclass(frozen=True, kw_only=True)
class CollectedFacts(FactsFile):
    """`dataset.json` of a folder that was collected here.

    Args:
        task: what the pictures were cut out for.
        consent: in the order in which people agreed.
        others: what somebody else wrote into the file, by its key; it stays there.
    """

    task: Task
    consent: tuple[Consent, ...] = ()
    others: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The contents of the file; what is empty and was not in it is left out."""
        own = asdict(self)
        others: dict[str, Any] = own.pop("others")
        return {name: value for name, value in own.items() if value or name != "splits"} | others


class Collection:
    """A folder that grows by one shot at a time, and is a valid data set at any moment.

    Args:
        root: created if missing.
        task: emotion or gesture.

    Raises:
        OutputError: the folder holds something else.
        DataError: it was collected for the other task, or its `dataset.json` is damaged.
    """

    def __init__(self, root: str | Path, task: Task) -> None:
        self.root = Path(root)
        self._facts = self._read(task)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the data set has so far, with pictures or without."""
        return self._facts.labels

    def add_label(self, name: str, *, any_label: bool = False) -> str:
        """The label that a name means; with `any_label` it becomes one if it is none.

        Raises:
            UnknownName: there is no such label.
            DataError: it cannot be one, since no folder can be called so.
        """
        label_set = LabelSet(self._facts.label_set, self.labels)
        label = label_of(name, label_set)
        if label is None and not any_label:
            label_set.index(name)
        if label is None:
            if not is_folder_name(name):
                raise DataError(
                    f"{name!r} cannot be a label, because it is not a valid folder name; choose a plain word"
                )
            label, used = name, [known for known in self.labels if any(self._shots(known))]
            self._facts = replace(self._facts, label_set="custom", labels=(*used, name))
        return label

    def record_consent(self, label: str, person: str, *, shown: str) -> None:
        """Note that this person agreed today to what was shown; nothing is written before the first shot."""
        entry = Consent(date=date.today().isoformat(), person=person, label=label, text=shown)
        if entry not in self._facts.consent:
            self._facts = replace(self._facts, consent=(*self._facts.consent, entry))

    def shots_of(self, label: str, person: str) -> list[Path]:
        """Files of one person's shots of a label, by their number."""
        shots = [path for path in self._shots(label) if self._facts.groups.get(self._name(path)) == person]
        return sorted(shots, key=_number)

    def add(self, label: str, person: str, crop: NDArray[np.uint8]) -> Path:
        """Write a shot; it becomes a complete part of the data set or none.

        Args:
            label: one of `labels`.
            person: its group.
            crop: (h, w) uint8 grey or (h, w, 3) RGB.

        Raises:
            OutputError: it cannot be written.
        """
        stem = file_stem(person)
        taken = [_number(path) for path in self._shots(label) if path.stem.rpartition("_")[0] == stem]
        path = self.root / label / f"{stem}_{max(taken, default=0) + 1:04d}.png"
        # The group first: a name without a picture is nothing, a picture without its group could end in two splits.
        self._facts = replace(self._facts, groups={**self._facts.groups, self._name(path): person})
        text = json.dumps(self._facts.to_json(), indent=1, ensure_ascii=False)
        write_whole(self.root / FACTS_NAME, f"{text}\n".encode())
        write_whole(path, _png(crop))
        return path

    def _read(self, task: Task) -> CollectedFacts:
        path = self.root / FACTS_NAME
        try:
            others = [other for other in self.root.iterdir() if not other.name.startswith(".")]
        except FileNotFoundError:
            others = []
        except OSError as exc:
            raise output_error(self.root, exc) from exc
        if not others:
            labels = _LABEL_SETS[task]
            return CollectedFacts(
                source=self.root.resolve().name, label_set=labels.name, labels=labels.labels, task=task
            )
        known = read_facts(self.root)
        found = json.loads(path.read_text("utf-8-sig")) if path in others else {}
        if not isinstance(found.get("consent"), list) or known.label_set is None:
            raise OutputError(f"{self.root} holds something that was not collected here; name another folder.")
        if found.get("task") != task:
            raise DataError(f"{self.root} was collected for the task {found.get('task')}; name another folder")
        own = {each.name for each in fields(CollectedFacts)} - {"others"}
        try:
            facts = checked(
                CollectedFacts,
                {name: value for name, value in found.items() if name in own},
                whole=FACTS_NAME,
                wrong=ValueError,
            )
        except (UnknownName, ValueError) as exc:
            raise DataError(f"{path} is damaged; mend it, or name another folder: {exc}") from exc
        foreign = {name: value for name, value in found.items() if name not in own}
        return replace(facts, label_set=known.label_set.name, groups=known.groups, others=foreign)

    def _shots(self, label: str) -> list[Path]:
        return list((self.root / label).glob("*.png"))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


class Collector:
    """Looks at pictures and keeps the good ones of one person and label.

    Args:
        collection: where they go.
        cropper: finds and cuts.
        label: one of the collection's.
        person: the group.
        largest: take the largest of several faces or hands instead of none.

    Attributes:
        seen: how many pictures were kept, and how many were left out for each reason.
    """

    def __init__(
        self, collection: Collection, cropper: Cropper, *, label: str, person: str, largest: bool = False
    ) -> None:
        self._collection = collection
        self._cropper = cropper
        self._label = label
        self._person = person
        self._largest = largest
        self._grey = replace(cropper.spec, size_hw=_MEASURE_HW, colour="grey")
        self._hashes = [_hash(read_image(path)) for path in collection.shots_of(label, person)]
        self.seen: Counter[str] = Counter()

    def offer(self, image_rgb: NDArray[np.uint8]) -> str:
        """Keep the face or hand of an (H, W, 3) uint8 RGB picture, or not.

        Returns:
            `KEPT`, or why not: `BLURRED`, `ALIKE`, no face, several faces (no hand, several hands).

        Raises:
            OutputError: the shot cannot be written.
        """
        answer = self._judged(image_rgb)
        self.seen[answer] += 1
        return answer

    def _judged(self, image_rgb: NDArray[np.uint8]) -> str:
        found = self._cropper.find(image_rgb)
        if not found or (len(found) > 1 and not self._largest):
            return f"several {self._cropper.what}s" if found else f"no {self._cropper.what}"
        if sharpness(self._cropper.cut(image_rgb, found[0], spec=self._grey)) < SHARPNESS:
            return BLURRED
        crop = self._cropper.cut(image_rgb, found[0])
        bits = _hash(crop)
        if any(int((bits != other).sum()) <= ALIKE_BITS for other in self._hashes):
            return ALIKE
        self._collection.add(self._label, self._person, crop)
        self._hashes.append(bits)
        return KEPT


def file_stem(person: str) -> str:
    """A person's id as a part of a file name: letters, digits and dashes."""
    return re.sub(r"[^\w-]+", "-", person).strip("-_") or "person"


def _hash(crop: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(perceptual_hashes(crop[None])[0])


def _number(path: Path) -> int:
    digits = path.stem.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0


def _png(crop: NDArray[np.uint8]) -> bytes:
    if crop.ndim == 3:
        return encode_image(crop, ".png")
    return bytes(cv2.imencode(".png", crop)[1])  # one channel: a third of what a grey picture in colour takes
