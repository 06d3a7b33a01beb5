"""A model is a folder: `model.onnx`, `manifest.json` and `CARD.md`.

The manifest holds everything that the pipeline must know about the network: task, label set, preprocessing,
threshold, temperature, licence, origin, measured scores and the SHA-256 of the weights. Nothing is guessed from
a file name, and a folder that does not agree with its manifest is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mien.errors import ModelError, RefusedOutput, UnknownName
from mien.files.whole import spare_foreign, whole_folder
from mien.models.manifest import NAME, Manifest, Score

__all__ = [
    "Artifact",
    "Manifest",
    "Score",
    "load_artifact",
    "write_artifact",
    "zoo_artifact",
    "zoo_names",
]

MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
CARD_FILE = "CARD.md"

MIRRORED = "mirror_picture"
"""Tensor of a model that averages the mirrored view of each picture itself: that view."""

FILES = (MODEL_FILE, MANIFEST_FILE, CARD_FILE)
"""What every model folder holds."""

_ZOO = Path(__file__).parent / "zoo"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model folder whose weights match the hash in its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL_FILE

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return (self.folder / CARD_FILE).read_text(encoding="utf-8")


def zoo_names() -> tuple[str, ...]:
    """Names of the models in the package, sorted."""
    return tuple(sorted(path.parent.name for path in _ZOO.glob(f"*/{MANIFEST_FILE}")))


def zoo_artifact(name: str) -> Artifact:
    """The model of that name in the package; raises UnknownName if there is none."""
    if name not in zoo_names():
        raise UnknownName("model", name, zoo_names())
    return _load_folder(_ZOO / name)


def load_artifact(folder_or_name: str | Path) -> Artifact:
    """Read and check a model folder, or a model in the package by its name.

    Raises:
        UnknownName: there is no such folder and no such model.
        ModelError: the folder is damaged or incomplete.
    """
    folder = Path(folder_or_name)
    if isinstance(folder_or_name, str) and folder_or_name in zoo_names():
        return zoo_artifact(folder_or_name)
    if folder.is_dir():
        return _load_folder(folder)
    if isinstance(folder_or_name, str) and NAME.fullmatch(folder_or_name) and not folder.exists():
        raise UnknownName("model or model folder", folder_or_name, zoo_names())
    raise ModelError(f"There is no model folder {folder}; give a folder with {MODEL_FILE} and {MANIFEST_FILE}.")


def check_place(folder: Path, *, overwrite: bool, known: Sequence[str] = FILES) -> None:
    """Check that a model folder may be written there; called before any slow work begins.

    Raises:
        RefusedOutput: something exists there: a model folder that may not be replaced, or anything else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / MANIFEST_FILE).is_file():
        raise RefusedOutput(f"{folder} exists and is not a model folder; name a new folder.")
    if not overwrite:
        raise RefusedOutput(f"{folder} already exists; name another folder or use --overwrite.")
    spare_foreign(folder, known)


def write_artifact(
    folder: str | Path,
    model_bytes: bytes,
    manifest: Manifest,
    card: str,
    *,
    extra: Mapping[str, bytes] | None = None,
    check: Callable[[], object] | None = None,
) -> Artifact:
    """Write a model folder, completely or not at all.

    Args:
        folder: the folder to create; an older model folder of that name is replaced.
        model_bytes: the ONNX file.
        manifest: its SHA-256 is filled in.
        card: the model card, Markdown.
        extra: other files of the folder, by name; an older folder may hold files of these names too.
        check: called when no other run can write the folder any more; what it raises leaves the folder as it is.

    Raises:
        OutputError: the folder cannot be written, or exists and is not a model folder.
    """
    folder = Path(folder)
    manifest = replace(manifest, sha256=hashlib.sha256(model_bytes).hexdigest())
    known = (*FILES, *(extra or ()))
    check_place(folder, overwrite=True, known=known)
    with whole_folder(folder, known=known) as fresh:
        if check is not None:
            check()
        (fresh / MODEL_FILE).write_bytes(model_bytes)
        (fresh / MANIFEST_FILE).write_text(json.dumps(manifest.to_dict(), indent=2) + "\n", encoding="utf-8")
        (fresh / CARD_FILE).write_text(card, encoding="utf-8")
        for name, data in (extra or {}).items():
            (fresh / name).write_bytes(data)
    return Artifact(folder, manifest)


def _load_folder(folder: Path) -> Artifact:
    for name in (MANIFEST_FILE, MODEL_FILE, CARD_FILE):
        if not (folder / name).is_file():
            raise ModelError(f"The model folder {folder} has no {name}; export or install the model again.")
    try:
        manifest = _read_manifest(folder / MANIFEST_FILE)
        digest = hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest()
    except (UnknownName, ValueError, TypeError, OSError) as exc:  # JSON and Unicode errors are ValueErrors
        raise ModelError(
            f"The {MANIFEST_FILE} of the model folder {folder} is wrong; correct it or export the model again: {exc}"
        ) from exc
    if digest != manifest.sha256:
        raise ModelError(
            f"The {MODEL_FILE} of the model folder {folder} has SHA-256 {digest[:12]}..., its manifest says "
            f"{manifest.sha256[:12]}...; the file is damaged or was replaced; "
            "export or install the model again."
        )
    return Artifact(folder, manifest)


def _read_manifest(path: Path) -> Manifest:
    data = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(data, dict):
        raise TypeError(f"it must be an object, got {type(data).__name__}")
    manifest = Manifest.from_dict(data)
    if not manifest.sha256:
        raise ValueError("sha256 must be 64 lower-case hexadecimal digits, got ''")
    return manifest
