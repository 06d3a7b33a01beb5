"""Recipes: a training run as data. A TOML file states what differs from the defaults below, and why."""

from __future__ import annotations

import codecs
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from mien.errors import RecipeError, UnknownName
from mien.labels import LABEL_SETS, label_set
from mien.models.manifest import Manifest
from mien.pixels.preprocess import InputSpec
from mien.recipes.tables import (
    AugmentRecipe,
    DataRecipe,
    ExportRecipe,
    FitRecipe,
    InputRecipe,
    LossRecipe,
    NetworkRecipe,
    ReferenceRecipe,
)
from mien.schema import checked

if TYPE_CHECKING:
    from importlib.abc import Traversable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_WHOLE, _NAMELESS = "recipe", "without a name"

_NOT_INHERITED = ("name", "source", "reference")
"""What a recipe states only for itself, whatever it extends."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole training run."""

    name: str
    task: Literal["emotion", "gesture"]
    label_set: str
    source: str = ""
    input: InputRecipe = field(default_factory=InputRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)
    loss: LossRecipe = field(default_factory=LossRecipe)
    fit: FitRecipe = field(default_factory=FitRecipe)
    export: ExportRecipe = field(default_factory=ExportRecipe)
    reference: ReferenceRecipe = field(default_factory=ReferenceRecipe)

    def __post_init__(self) -> None:
        label_set(self.label_set)
        try:
            self._check()
            self.manifest()  # so that settings for the export fail before hours of training, not after
        except (TypeError, ValueError) as exc:
            raise RecipeError(f"recipe {self.name or _NAMELESS}: {exc}") from exc

    def input_spec(self) -> InputSpec:
        """The run-time preprocessing that this recipe trains for."""
        if self.data.kind == "hands":
            return InputSpec(size_hw=(22 if self.data.top else 21, 3), kind="landmarks", colour="grey")
        return InputSpec(
            size_hw=self.input.size_hw,
            colour=self.input.colour,
            mean=self.input.mean,
            std=self.input.std,
            margin=self.input.margin,
            lift=self.input.lift,
            level=self.input.level,
        )

    def manifest(self) -> Manifest:
        """The manifest of the exported model, before it is calibrated and scored."""
        return Manifest(
            name=self.export.name or self.name,
            task=self.task,
            labels=self.label_set,
            version=str(self.export.version),
            input=self.input_spec(),
            threshold=self.export.threshold,
            left_out=self.export.left_out,
            licence=self.export.licence,
            origin=self.export.origin or f"trained with the recipe {self.name}",
        )

    def logit_shift(self) -> tuple[float, ...]:
        """What `export.shift` adds to the logit of each label, in their order.

        Raises:
            ValueError: a shift is not LABEL=NUMBER with a label of the recipe.
        """
        labels = label_set(self.label_set).labels
        shift = dict.fromkeys(labels, 0.0)
        for text in self.export.shift:
            label, _, number = text.partition("=")
            try:
                value = float(number)
            except ValueError:
                value = math.nan
            if label not in shift or not math.isfinite(value):
                raise ValueError(f"export.shift has labels of {self.label_set} and numbers, as none=-1.5, got {text!r}")
            shift[label] = value
        return tuple(shift.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain data of every setting, defaults included."""
        return asdict(self)

    def _check(self) -> None:
        if not self.label_set.startswith(self.task):
            fit = ", ".join(name for name in LABEL_SETS if name.startswith(self.task))
            raise ValueError(f"label_set must be one for the task {self.task} ({fit}), got {self.label_set!r}")
        if self.data.kind == "hands" and self.task != "gesture":
            raise ValueError(f'data.kind = "hands" is for the task gesture, got {self.task!r}')
        if self.data.kind != "hands" and len(set(self.input.size_hw)) > 1:
            raise ValueError(f"input.size_hw must be a square, as crops are, got {self.input.size_hw}")
        for label in self.data.drop:
            if label in label_set(self.label_set):
                raise ValueError(f"data.drop leaves {label} out, but {self.label_set} has it")
        for setting, example in (("classes", "fist=punch"), ("letters", "K=victory")):
            for text in getattr(self.data, setting):
                name, sign, label = text.partition("=")
                if not name or not sign or (label and label not in label_set(self.label_set)):
                    raise ValueError(
                        f"data.{setting} are names and labels of {self.label_set}, as {example}, got {text!r}"
                    )
        self.logit_shift()
        views = self.export.views
        if views[0] != "own" or len(set(views)) < len(views):
            raise ValueError(f'export.views must be distinct and begin with "own", got {views}')
        if self.task != "emotion" and len(views) > 1:
            raise ValueError(f'export.views must be "own" for hands, got {views}')
        if self.data.kind == "hands" and self.export.mirror != "none":
            raise ValueError('export.mirror must be "none" for landmarks, which have no mirrored view')
        if self.export.mirror != "none" and not label_set(self.label_set).mirror_safe:
            raise ValueError(f'export.mirror must be "none" for {self.label_set}, whose labels change in a mirror')
        if self.fit.optimizer == "sgd" and self.fit.nesterov and not self.fit.momentum:
            raise ValueError("fit.nesterov needs a fit.momentum above 0")
        if self.augment.views and (self.augment.mixup or self.augment.validation or self.fit.sizes):
            raise ValueError("augment.views goes with neither augment.mixup nor augment.validation nor fit.sizes")
        if self.fit.least_rate > self.fit.rate:
            raise ValueError(f"fit.least_rate must be at most fit.rate, {self.fit.rate:g}, got {self.fit.least_rate:g}")
        if 0 < self.augment.noise_most < self.augment.noise:
            raise ValueError(
                f"augment.noise_most must be 0 or at least augment.noise, {self.augment.noise:g}, "
                f"got {self.augment.noise_most:g}"
            )
        sizes = self.fit.sizes
        if any(side % 1 for side, _ in sizes):
            raise ValueError(f"the sides in fit.sizes must be whole numbers of pixels, got {sizes}")
        if sizes and abs(sum(share for _, share in sizes) - 1) > 1e-6:
            raise ValueError(f"the shares in fit.sizes must add up to 1, got {sizes}")
        side = self.input.size_hw[0]
        if sizes and sizes[-1][0] != side:
            raise ValueError(
                f"fit.sizes must end with {side}, the side at which the network is measured and used, got {sizes}"
            )


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes in the package."""
    return tuple(sorted(_packaged()))


def load_recipe(name_or_path: str | Path, *, changes: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe in the package by name, or a TOML file by path.

    A recipe with `extends = "NAME"` states only what differs from that one, setting by setting; NAME is a recipe of the
    package or a TOML file, sought from the folder of the file that names it. Name, source and reference are its own.

    Args:
        name_or_path: e.g. `emotion`, or `my/recipe.toml`.
        changes: settings by dotted name as text, e.g. {"fit.epochs": "3"}; the text is read as a TOML value.

    Raises:
        UnknownName: no such recipe, or an unknown setting (the nearest valid one is named).
        RecipeError: the file is not TOML, extends itself, or a value has the wrong type.
    """
    data: dict[str, Any] = {}
    for _, _, own in reversed(_bases(name_or_path)):
        data = _extended(data, own)
    for dotted, text in (changes or {}).items():
        _change(data, dotted, text)
    return _checked(data)


def recipe_texts(name_or_path: str | Path) -> tuple[str, ...]:
    """A recipe as it is written, with its comments, then the one it extends, and so on; raises as `load_recipe`."""
    return tuple(text for _, text, _ in _bases(name_or_path))


def recipe_folders(name_or_path: str | Path) -> tuple[Path, ...]:
    """The folders of a recipe's file and of those that it extends, each once; none of the package's own."""
    sources = (source for source, *_ in _bases(name_or_path))
    return tuple(dict.fromkeys(Path(source).parent for source in sources if source.endswith(".toml")))


def changed_recipe(recipe: Recipe, changes: Mapping[str, str]) -> Recipe:
    """The recipe with some settings changed, given as for `load_recipe`; raises as it does."""
    data = recipe.to_dict()
    for dotted, text in changes.items():
        _change(data, dotted, text)
    return recipe_from_dict(data)


def recipe_from_dict(data: Mapping[str, Any]) -> Recipe:
    """The recipe that `to_dict` described, e.g. after JSON; raises as `load_recipe`."""
    return _checked(data)


def changes_of(recipe: Recipe) -> dict[str, str]:
    """The settings in which a recipe differs from the package's of the same name, as `load_recipe` takes them.

    Raises:
        UnknownName: the package has no recipe of that name.
    """
    own, base = recipe.to_dict(), load_recipe(recipe.name).to_dict()
    changes = {}
    for section, settings in own.items():
        for name, value in settings.items() if isinstance(settings, dict) else ():
            if value != base[section][name]:
                changes[f"{section}.{name}"] = _toml(value)
    return changes


def _toml(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value) if isinstance(value, str | bool) else repr(value)


def _bases(first: str | Path) -> list[tuple[str, str, dict[str, Any]]]:
    """The recipe's name or path, text and data, then those of the one that it extends, and so on."""
    bases: list[tuple[str, str, dict[str, Any]]] = []
    seen: list[str] = []
    name_or_path = os.path.normpath(first) if str(first) else ""
    while name_or_path or not bases:
        text = _text(name_or_path)
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as exc:
            raise RecipeError(f"The recipe {name_or_path} is not valid TOML: {exc}") from exc
        seen.append(name_or_path)
        base = data.pop("extends", "")
        if not isinstance(base, str):
            raise RecipeError(
                f"The recipe {name_or_path} must extend the name of a recipe or a TOML file, not {base!r}"
            )
        if base.endswith(".toml") and name_or_path.endswith(".toml"):
            base = os.path.normpath(Path(name_or_path).parent / base)
        if base in seen:
            raise RecipeError(f"The recipe {base} extends itself: {', '.join([*seen, base])}")
        bases.append((name_or_path, text, data))
        name_or_path = base
    return bases


def _extended(base: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    extended = {key: value for key, value in base.items() if key not in _NOT_INHERITED}
    for key, value in data.items():
        below = extended.get(key)
        extended[key] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return extended


def _packaged() -> dict[str, Traversable]:
    """The files of the recipes in the package by name; each task has its folder."""
    folders = [folder for folder in (resources.files("mien.recipes") / "toml").iterdir() if folder.is_dir()]
    files = [file for folder in folders for file in folder.iterdir() if file.name.endswith(".toml")]
    return {file.name.removesuffix(".toml"): file for file in files}


def _text(name_or_path: str) -> str:
    path = Path(name_or_path)
    if path.suffix != ".toml":
        found = _packaged().get(name_or_path)
        if found is None:
            raise UnknownName("recipe", name_or_path, recipe_names())
        return found.read_text("utf-8")
    if not path.is_file():
        raise RecipeError(f"There is no recipe file {path}; the package has {', '.join(recipe_names())}")
    try:
        raw = path.read_bytes()
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise RecipeError(f"The recipe {path} is saved as UTF-16, but TOML is UTF-8; save it as UTF-8")
        return raw.decode("utf-8-sig").replace("\r\n", "\n")  # some editors mark UTF-8 with three bytes before it
    except (OSError, UnicodeDecodeError) as exc:
        raise RecipeError(f"The recipe {path} is not valid TOML in UTF-8: {exc}") from exc


def _change(data: dict[str, Any], dotted: str, text: str) -> None:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        parsed = {}
    *sections, key = dotted.split(".")
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise RecipeError(f"There is no setting {dotted}: {section} is a value, not a table of settings")
    data[key] = parsed["value"] if list(parsed) == ["value"] else text


def _checked(data: Mapping[str, Any]) -> Recipe:
    name = data.get("name") or _NAMELESS
    try:
        return checked(Recipe, data, whole=_WHOLE, wrong=lambda sentence: RecipeError(f"recipe {name}: {sentence}"))
    except UnknownName as unknown:
        if _WHOLE not in unknown.kind:
            raise
        if unknown.kind.startswith(f"{_WHOLE}."):  # the value of a setting, which users write without the first word
            raise UnknownName(unknown.kind.removeprefix(f"{_WHOLE}."), unknown.name, unknown.valid) from None
        raise UnknownName(unknown.kind, unknown.name, unknown.valid, _settings()) from None


def _settings() -> dict[str, str]:
    """The settings of all tables by their own name, and where they are: "'network.weights' or 'export.weights'"."""
    places: dict[str, list[str]] = {}
    for table, kind in get_type_hints(Recipe).items():
        for setting in fields(kind) if is_dataclass(kind) else ():
            places.setdefault(setting.name, []).append(repr(f"{table}.{setting.name}"))
    return {name: " or ".join(dotted) for name, dotted in places.items()}
