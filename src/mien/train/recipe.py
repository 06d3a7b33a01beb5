"""Recipes: a training run as data. A TOML file states what differs from the defaults below, and why."""

from __future__ import annotations

import json
import math
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from mien.errors import RecipeError, UnknownName
from mien.labels import label_set
from mien.models.manifest import Manifest
from mien.pixels.preprocess import InputSpec
from mien.train.compact import Weights

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

RECIPE_FILE, SUMMARY_FILE = "recipe.json", "summary.json"
"""What a run folder keeps: the recipe it was started with, and what came of it."""

_LIMITS = {
    "data.limit": (0, math.inf),
    "data.copies": (0, 100),
    "data.composed": (0, 10),
    "data.share": (1e-6, 1),
    "data.side": (0, math.inf),
    "network.blocks": (1, 100),
    "network.dropout": (0, 0.99),
    "network.unfreeze": (0, math.inf),
    "network.enlarge": (1, 8),
    "augment.rotation": (0, 180),
    "augment.shear": (0, 89),
    "augment.zoom": (0, 0.99),
    "augment.shift": (0, 1),
    "augment.contrast": (0, 1),
    "augment.brightness": (0, 1),
    "augment.erasing": (0, 1),
    "augment.camera": (0, 1),
    "augment.tilt": (0, 180),
    "augment.noise": (0, math.inf),
    "augment.mixup": (0, math.inf),
    "loss.label_smoothing": (0, 0.99),
    "loss.votes_weight": (0, math.inf),
    "loss.balance": (0, math.inf),
    "loss.l2": (0, math.inf),
    "loss.teacher_weight": (0, 1),
    "fit.epochs": (1, math.inf),
    "fit.batch": (2, math.inf),
    "fit.rate": (1e-9, math.inf),
    "fit.momentum": (0, 0.9999),
    "fit.weight_decay": (0, math.inf),
    "fit.warm_up": (0, 1),
    "fit.plateau_factor": (0.001, 0.999),
    "fit.plateau_patience": (0, math.inf),
    "fit.least_rate": (0, math.inf),
    "fit.stop_patience": (0, math.inf),
    "fit.ema": (0, 0.99999),
    "reference.author_score": (0, 1),
    "export.threshold": (0, 1),
    "export.precision": (0, 0.999),
    "export.certainty": (0.5, 0.9999),
    "export.temperature": (0, math.inf),
}
"""Lowest and highest meaningful value of the settings that are one number."""


@dataclass(frozen=True, kw_only=True)
class InputRecipe:
    """What the network is fed; becomes the manifest's input.

    `size_hw`, `colour`, `mean` and `std` as in `mien.pixels.preprocess.InputSpec`; `margin`, `lift` and `level` say
    how a detected face must be cropped to be framed as the training images are.
    """

    size_hw: tuple[int, ...] = (48, 48)
    colour: Literal["rgb", "grey"] = "grey"
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)
    margin: float = 0.0
    lift: float = 0.0
    level: bool = False


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """Which data and which part of it.

    `kind` is `fer2013` (images of a CSV, a packed file or folders), `images` (the same, without FER2013's splits) or
    `hands` (landmarks found in folders of hand pictures). `clean` drops training images that would mislead. `drop`
    leaves out labels. `split` is the data's own (`usage`), the same with test counted as validation (`merged`), or by
    chance (`random`): `fractions` are the share of all for test and the share of the rest for validation, `seeds` those
    of the two draws. `share` trains on a part of the training split, drawn by the seed of the fit. `side` keeps picture
    files in memory at so many pixels, resized on the device to the input's size; 0 keeps them at the input's size.
    For hands: `limit` pictures at most of each class and data set, evenly spaced; `copies` of each training picture
    made worse (`mien.data.degrade`), whose landmarks are trained on too; `composed` adds so many hands made of several
    (`mien.data.compose`), for each training sample, as "none";
    `whole_frames` names data sets whose pictures are whole frames, in which the hand is found as by `mien look`;
    `leave_out` names data sets or signers that become the test split, `validation` those that are only watched.
    """

    kind: Literal["fer2013", "images", "hands"] = "fer2013"
    clean: bool = True
    drop: tuple[str, ...] = ()
    split: Literal["usage", "merged", "random"] = "usage"
    fractions: tuple[float, ...] = (0.1, 0.1)
    seeds: tuple[int, ...] = (1,)
    share: float = 1.0
    side: int = 0
    limit: int = 0
    copies: int = 0
    composed: float = 0.0
    whole_frames: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NetworkRecipe:
    """A network's name and what its constructor takes beyond the input and the labels.

    `weights` may be a run folder of the same architecture, from whose weights the run then starts (fine-tuning).
    For networks trained on ImageNet it is a file in torchvision's form, `package` (weights of an installed package),
    `hub` (fetched by torch.hub) or `none`; all layers of it stay as they are but the last `unfreeze` blocks, and the
    statistics of the batch norms unless `own_statistics`. `enlarge` makes the images larger inside the network.
    """

    name: str = "residual_cnn"
    widths: tuple[int, ...] = (32, 64, 128, 256)
    blocks: int = 1
    dropout: float = 0.2
    weights: str = ""
    unfreeze: int = 0
    enlarge: int = 1
    own_statistics: bool = False


@dataclass(frozen=True, kw_only=True)
class AugmentRecipe:
    """Random changes to a batch. Images: `rotation` in degrees, `shear` in degrees, `zoom` and `shift` as fractions
    (`stretch` zooms each axis by its own draw), `flip` left to right, `contrast` and `brightness` as fractions,
    `erasing` as a probability, `camera` as the probability of each of a camera's troubles (distance, blur, light,
    noise, JPEG). Landmarks: `rotation`, `zoom`, `tilt` (degrees out of the picture plane), `bend`
    (standard deviation in degrees by which each finger turns at its base) and `noise` (fraction of the hand's size).
    Both: `mixup`, the alpha of Zhang et al. 2018. `validation` changes the validation images too, as one reference
    system does: its scores then depend on chance and say less about real images, so it is off."""

    rotation: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    stretch: bool = False
    shift: float = 0.0
    flip: bool = False
    contrast: float = 0.0
    brightness: float = 0.0
    erasing: float = 0.0
    camera: float = 0.0
    tilt: float = 0.0
    bend: float = 0.0
    noise: float = 0.0
    mixup: float = 0.0
    validation: bool = False


@dataclass(frozen=True, kw_only=True)
class LossRecipe:
    """Cross-entropy; `votes_weight` adds a second head trained on the raters' votes (Barsoum et al. 2016);
    `balance` weights classes by their count to the power of minus this; `l2` adds that many times the sum of squares
    of the weights the network names as regularised. `teachers` are run folders or models whose averaged answers take
    the share `teacher_weight` of the target (Hinton et al. 2015)."""

    label_smoothing: float = 0.0
    votes_weight: float = 0.0
    balance: float = 0.0
    l2: float = 0.0
    teachers: tuple[str, ...] = ()
    teacher_weight: float = 0.5


@dataclass(frozen=True, kw_only=True)
class FitRecipe:
    """The optimisation: SGD, with Nesterov's momentum or without, Adam or AdamW.

    `schedule` is how the rate moves: `one_cycle` (Smith 2018), `constant`, or `plateau`: multiplied by
    `plateau_factor` down to `least_rate` when `plateau_on` has not risen for `plateau_patience` epochs.
    `stop_patience` ends the run after so many epochs without a better validation accuracy; 0 never does.
    `precision` `auto` is bf16-mixed where the processor or accelerator computes it itself. `batch` is that of each
    device. `ema` averages the weights. `sizes` trains on smaller images first: pairs of a side in pixels and the share
    of the epochs spent on it. `keep` is the checkpoint to export: the one best on the validation split, or the last.
    """

    epochs: int = 30
    batch: int = 128
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    schedule: Literal["one_cycle", "constant", "plateau"] = "one_cycle"
    plateau_on: Literal["train_accuracy", "val_accuracy"] = "val_accuracy"
    plateau_factor: float = 0.2
    plateau_patience: int = 10
    least_rate: float = 0.0
    stop_patience: int = 0
    warm_up: float = 0.2
    ema: float = 0.0
    sizes: tuple[tuple[float, ...], ...] = ()
    precision: Literal["auto", "32-true", "bf16-mixed"] = "32-true"
    keep: Literal["best", "last"] = "best"
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class ExportRecipe:
    """The model folder: its name, the threshold under which an answer counts as uncertain, words for the card, and
    the temperature, where it cannot be fitted on the validation split (0 fits it). `bias` fits a number to add to each
    label's logit with it, for labels that are said too often or too seldom (`mien.train.scores.fitted_bias`). A
    `precision` above 0 chooses the threshold instead: the lowest whose answers are right that often, with this
    `certainty`; 0.5 is about the share counted on the validation split itself (`mien.train.scores.precise_threshold`).
    `weights` other than float32 make a smaller file; they are refused where they cost accuracy."""

    name: str = ""
    threshold: float = 0.5
    precision: float = 0.0
    certainty: float = 0.95
    weights: Weights = "float32"
    temperature: float = 0.0
    bias: bool = False
    licence: str = "Apache-2.0"
    origin: str = ""


@dataclass(frozen=True, kw_only=True)
class ReferenceRecipe:
    """The published result a recipe rebuilds: `ref` names it in this project, `author_score` is a share from 0 to 1 of
    `author_metric`, and `protocol` says in words on which images it was measured and chosen."""

    ref: str = ""
    author: str = ""
    author_score: float = 0.0
    author_metric: str = ""
    protocol: str = ""


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
            self.manifest()  # what the export needs is wrong before hours of training, not after them
        except (TypeError, ValueError) as exc:
            raise RecipeError(f"recipe {self.name}: {exc}") from exc

    def input_spec(self) -> InputSpec:
        """The run-time preprocessing that this recipe trains for."""
        if self.data.kind == "hands":
            return InputSpec(size_hw=(21, 3), kind="landmarks", colour="grey")
        if len(self.input.size_hw) != 2:
            raise ValueError(f"input.size_hw is a height and a width, got {self.input.size_hw}")
        height, width = self.input.size_hw
        return InputSpec(
            size_hw=(height, width),
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
            input=self.input_spec(),
            threshold=self.export.threshold,
            licence=self.export.licence,
            origin=self.export.origin or f"trained with mien's recipe {self.name}",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data of every setting, defaults included."""
        return asdict(self)

    def _check(self) -> None:
        for dotted, (low, high) in _LIMITS.items():
            section, name = dotted.split(".")
            value = getattr(getattr(self, section), name)
            if not low <= value <= high:
                raise ValueError(f"{dotted} lies between {low:g} and {high:g}, got {value}")
        if not self.network.widths or min(self.network.widths) < 1:
            raise ValueError(f"network.widths are one or more numbers from 1, got {self.network.widths}")
        if len(self.data.fractions) != 2 or not all(0 <= share < 1 for share in self.data.fractions):
            raise ValueError(f"data.fractions are two shares from 0 to below 1, got {self.data.fractions}")
        if not 1 <= len(self.data.seeds) <= 2:
            raise ValueError(f"data.seeds are one or two numbers, got {self.data.seeds}")
        for label in self.data.drop:
            if label in label_set(self.label_set):
                raise ValueError(f"data.drop leaves {label} out, but {self.label_set} has it")
        if self.fit.optimizer == "sgd" and self.fit.nesterov and not self.fit.momentum:
            raise ValueError("fit.nesterov needs a fit.momentum above 0")
        sizes = self.fit.sizes
        if any(len(pair) != 2 or pair[0] < 1 or not 0 < pair[1] <= 1 for pair in sizes):
            raise ValueError(f"fit.sizes are pairs of a side in pixels and a share of the epochs, got {sizes}")
        if sizes and abs(sum(share for _, share in sizes) - 1) > 1e-6:
            raise ValueError(f"the shares in fit.sizes add up to 1, got {sizes}")


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes inside the package."""
    folder = resources.files("mien.train") / "recipes"
    return tuple(sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(".toml")))


def load_recipe(name_or_path: str | Path, *, changes: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe of the package by name, or a TOML file by path.

    Args:
        name_or_path: e.g. `emotion`, or `my/recipe.toml`.
        changes: settings by dotted name as text, e.g. {"fit.epochs": "3"}; the text is read as a TOML value.

    Raises:
        UnknownName: no such recipe, or an unknown setting (the nearest valid one is named).
        RecipeError: the file is no TOML or a value has the wrong type.
    """
    data = _read(str(name_or_path))
    for dotted, text in (changes or {}).items():
        _change(data, dotted, text)
    return _build(Recipe, data, "recipe")


def changed_recipe(recipe: Recipe, changes: Mapping[str, str]) -> Recipe:
    """The recipe with some settings changed, given as for `load_recipe`; raises as it does."""
    data = recipe.to_dict()
    for dotted, text in changes.items():
        _change(data, dotted, text)
    return recipe_from_dict(data)


def recipe_from_dict(data: Mapping[str, Any]) -> Recipe:
    """The recipe that `to_dict` described, e.g. after JSON; raises as `load_recipe`."""
    return _build(Recipe, data, "recipe")


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


def _read(name_or_path: str) -> dict[str, Any]:
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if name_or_path not in recipe_names():
            raise UnknownName("recipe", name_or_path, recipe_names())
        text = (resources.files("mien.train") / "recipes" / f"{name_or_path}.toml").read_text("utf-8")
    elif path.is_file():
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise RecipeError(f"The recipe {path} is no valid TOML, which is UTF-8 text: {exc}") from exc
    else:
        raise RecipeError(f"There is no recipe file {path}; the package has {', '.join(recipe_names())}")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise RecipeError(f"The recipe {name_or_path} is no valid TOML: {exc}") from exc


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


def _build(cls: type[T], data: Mapping[str, Any], where: str) -> T:
    """Make a dataclass from plain data; unknown keys and wrong types fail with the place in the recipe."""
    hints = typing.get_type_hints(cls)
    names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    for key in data:
        if key not in names:
            raise UnknownName(f"setting in {where}", key, names)
    values = {key: _coerce(hints[key], value, f"{where}.{key}") for key, value in data.items()}
    try:
        return cls(**values)
    except TypeError as exc:
        raise RecipeError(f"{where}: {exc}") from exc


def _coerce(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise RecipeError(f"{where} is a table of settings, not {value!r}")
        return _build(typing.cast(type[Any], hint), value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value not in arguments:
            raise UnknownName(where, str(value), map(str, arguments))
        return value
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_coerce(arguments[0], item, where) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias) and type(value) is hint:
        return value
    raise RecipeError(f"{where} is {getattr(hint, '__name__', hint)}, not {value!r}")
