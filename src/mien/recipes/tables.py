"""The tables of a recipe and their defaults: input, data, network, augment, loss, fit, export, reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen

from mien.schema import Text

CalibrationKind = Literal["temperature", "bias", "vector"]
CALIBRATION_KINDS: tuple[CalibrationKind, ...] = get_args(CalibrationKind)
View = Literal["own", "detected", "camera"]
MirrorKind = Literal["none", "logits", "probabilities", "turns"]
Weights = Literal["float32", "float16", "int8"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)

Count = Annotated[int, Ge(0), Le(1_000_000_000)]
Epochs = Annotated[int, Ge(0), Le(100_000)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
"""What NumPy takes as the seed of random numbers."""

Side = Annotated[int, Ge(1), Le(1024)]
"""Of a picture, in pixels."""

Strength = Annotated[float, Ge(0), Le(100)]
Share = Annotated[float, Ge(0), Le(1)]
PartialShare = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True, kw_only=True)
class InputRecipe:
    """What the network is fed; becomes the manifest's input.

    `size_hw`, `colour`, `mean` and `std` as in `mien.pixels.preprocess.InputSpec`; `margin`, `lift` and `level` say
    how a detected face must be cropped to be framed as the training images are.
    """

    size_hw: tuple[Side, Side] = (48, 48)
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
    files in memory at this many pixels, resized on the device to the input's size; 0 keeps them at the input's size.
    For hands: `limit` pictures at most of each class and data set, evenly spaced; `copies` of each training picture
    made worse (`mien.data.degrade`), whose landmarks are trained on too; `composed` adds so many hands made of several
    (`mien.data.compose`), for each training sample, as "none";
    `whole_frames` names data sets whose pictures are whole frames, in which the hand is found as by `mien look`;
    `leave_out` names data sets or signers that become the test split, `validation` those that are only watched.
    `crowds` names data sets, which need not be there, in which nearly every picture shows somebody else and ends where
    the hand does: each picture gets a border, `limit` does not apply to them, and a fixed fifth, told by the file's
    name, is test; `crowd_copies` is their `copies`. `classes` are other names of folders, as "fist=punch", and folders
    left out, as "nothing="; `letters` say the same of files in a folder `other` that are named after a letter, as
    "B=palm".
    `top` adds where the picture's top is to the landmarks, without which a thumb held up cannot be told from one held
    down. `pinched` adds so many hands whose thumb touches the middle or the ring finger, and `turned` so many hands
    turned in the picture, both for each training sample (`mien.data.compose`). `relaxed` adds so many open hands that
    hang down, likewise.
    """

    kind: Literal["fer2013", "images", "hands"] = "fer2013"
    clean: bool = True
    drop: tuple[str, ...] = ()
    split: Literal["usage", "merged", "random"] = "usage"
    fractions: tuple[PartialShare, PartialShare] = (0.1, 0.1)
    seeds: Annotated[tuple[Seed, ...], MinLen(1), MaxLen(2)] = (1,)
    share: Annotated[float, Ge(1e-6), Le(1)] = 1.0
    side: Annotated[int, Ge(0), Le(1024)] = 0
    limit: Count = 0
    copies: Annotated[int, Ge(0), Le(100)] = 0
    composed: Annotated[float, Ge(0), Le(10)] = 0.0
    whole_frames: tuple[str, ...] = ()
    pinched: Annotated[float, Ge(0), Le(10)] = 0.0
    turned: Annotated[float, Ge(0), Le(10)] = 0.0
    relaxed: Annotated[float, Ge(0), Le(10)] = 0.0
    top: bool = False
    crowds: tuple[str, ...] = ()
    crowd_copies: Annotated[int, Ge(0), Le(100)] = 0
    classes: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NetworkRecipe:
    """A network's name and what its constructor takes beyond the input and the labels.

    `weights` may be a run of the same architecture, from whose weights the run then starts (fine-tuning), averaged with
    those of the runs in `averaged`, if any. A run is a folder, or `recipe:NAME`: what that recipe trained, the folder
    NAME beside the run's own (`mien.recipes.chain`).
    For networks trained on ImageNet it is a file in torchvision's form, `package` (weights of an installed package),
    `hub` (fetched by torch.hub) or `none`; all layers of it stay as they are but the last `unfreeze` blocks, and the
    statistics of the batch norms unless `own_statistics`. `enlarge` makes the images larger inside the network.
    `squeeze` above 0 adds squeeze-and-excitation to residual blocks, with this reduction. `bgr` says that VGG-16's
    weights were trained on BGR images, as Keras' were. `sees_top` gives a network of landmarks the direction of the
    picture's top for all gestures, not for thumbs alone.
    """

    name: str = "residual_cnn"
    widths: Annotated[tuple[Annotated[int, Ge(1), Le(4096)], ...], MinLen(1), MaxLen(16)] = (32, 64, 128, 256)
    blocks: Annotated[int, Ge(1), Le(100)] = 1
    dropout: Annotated[float, Ge(0), Le(0.99)] = 0.2
    weights: str = ""
    averaged: tuple[str, ...] = ()
    unfreeze: Annotated[int, Ge(0), Le(1000)] = 0
    enlarge: Annotated[int, Ge(1), Le(8)] = 1
    own_statistics: bool = False
    squeeze: Annotated[int, Ge(0), Le(4096)] = 0
    bgr: bool = False
    sees_top: bool = False


@dataclass(frozen=True, kw_only=True)
class AugmentRecipe:
    """Random changes to a batch. Images: `rotation` in degrees, `shear` in degrees, `zoom` and `shift` as fractions
    (`stretch` zooms each axis by its own draw), `flip` left to right, `contrast` and `brightness` as fractions,
    `erasing` as a probability, `camera` as the probability of each camera corruption (distance, blur, light,
    noise, JPEG). Landmarks: `rotation`, `zoom`, `tilt` (degrees out of the picture plane), `bend`
    (standard deviation in degrees by which each finger turns at its base) and `noise` (fraction of the hand's size;
    with a larger `noise_most`, each hand has its own between the two, mostly near the lower).
    Both: `mixup`, the alpha of Zhang et al. 2018. `views` above 0 draws this many augmented views of each image before
    training, instead of a new one in each epoch, and computes the network's frozen part on them once: the epochs then
    take one view after another. `validation` changes the validation images too, as one reference
    system does: its scores then depend on chance and say less about real images, so it is off."""

    rotation: Annotated[float, Ge(0), Le(180)] = 0.0
    shear: Annotated[float, Ge(0), Le(89)] = 0.0
    zoom: Annotated[float, Ge(0), Le(0.99)] = 0.0
    stretch: bool = False
    shift: Share = 0.0
    flip: bool = False
    contrast: Share = 0.0
    brightness: Share = 0.0
    erasing: Share = 0.0
    camera: Share = 0.0
    tilt: Annotated[float, Ge(0), Le(180)] = 0.0
    bend: Annotated[float, Ge(0), Le(180)] = 0.0
    noise: Share = 0.0
    noise_most: Share = 0.0
    mixup: Strength = 0.0
    views: Annotated[int, Ge(0), Le(1000)] = 0
    validation: bool = False


@dataclass(frozen=True, kw_only=True)
class LossRecipe:
    """Cross-entropy; `votes_weight` adds a second head trained on the raters' votes (Barsoum et al. 2016);
    `balance` weights classes by their count to the power of minus this; `l2` adds that many times the sum of squares
    of the weights the network names as regularised. `teachers` are runs (folders or `recipe:NAME`) or models whose
    averaged answers take the share `teacher_weight` of the target (Hinton et al. 2015)."""

    label_smoothing: Annotated[float, Ge(0), Le(0.99)] = 0.0
    votes_weight: Strength = 0.0
    balance: Annotated[float, Ge(0), Le(10)] = 0.0
    l2: Strength = 0.0
    teachers: tuple[str, ...] = ()
    teacher_weight: Share = 0.5


@dataclass(frozen=True, kw_only=True)
class FitRecipe:
    """The optimisation: SGD, with Nesterov's momentum or without, Adam or AdamW.

    `schedule` is how the rate moves: `one_cycle` (Smith 2018), `constant`, or `plateau`: multiplied by
    `plateau_factor` down to `least_rate` when `plateau_on` has not risen for `plateau_patience` epochs.
    `warm_up` is the share of the steps of `one_cycle` in which the rate rises. `stop_patience` ends the run after this
    many epochs without a better validation accuracy; 0 never does. `precision` `auto` is bf16-mixed where the processor
    or accelerator computes it itself. `batch` is that of each device. `ema` averages the weights. `sizes` trains on
    smaller images first: pairs of a side in whole pixels and the share of the epochs spent on it. `keep` is the
    checkpoint to export: the one best on the validation split, or the last.
    """

    epochs: Annotated[int, Ge(1), Le(100_000)] = 30
    batch: Annotated[int, Ge(2), Le(1_000_000)] = 128
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    rate: Annotated[float, Ge(1e-9), Le(100)] = 0.1
    momentum: Annotated[float, Ge(0), Le(0.9999)] = 0.9
    nesterov: bool = True
    weight_decay: Annotated[float, Ge(0), Le(10)] = 5e-4
    schedule: Literal["one_cycle", "constant", "plateau"] = "one_cycle"
    plateau_on: Literal["train_accuracy", "val_accuracy"] = "val_accuracy"
    plateau_factor: Annotated[float, Ge(0.001), Le(0.999)] = 0.2
    plateau_patience: Epochs = 10
    least_rate: Strength = 0.0
    stop_patience: Epochs = 0
    warm_up: Annotated[float, Ge(0), Le(0.999)] = 0.2
    ema: Annotated[float, Ge(0), Le(0.99999)] = 0.0
    sizes: tuple[tuple[Annotated[float, Ge(1), Le(1024)], Annotated[float, Gt(0), Le(1)]], ...] = ()
    precision: Literal["auto", "32-true", "bf16-mixed"] = "32-true"
    keep: Literal["best", "last"] = "best"
    seed: Seed = 1


@dataclass(frozen=True, kw_only=True)
class ExportRecipe:
    """The model folder: its name (that of the folder when empty), the version of its weights, the threshold under
    which an answer counts as uncertain, text for the card (its licence, and who made it: `origin`), and the
    temperature, where it cannot be fitted on the validation split (0 fits it).
    `calibration` is what is fitted there: the temperature, a bias on each label's logit too, or a bias and a scale
    (`mien.evaluation.calibration.fitted_calibration`). A `precision` above 0 chooses the threshold: the lowest whose
    answers are right that often, with this `certainty`; 0.5 is about the share counted on the validation split itself
    (`mien.evaluation.metrics.precise_threshold`). `weights` other than float32 make a smaller file; they are refused
    where they cost accuracy. `shift` is added to logits of labels, as "none=-1.5", before the rest: for a label that is
    more common in training than in use (logit adjustment, Menon et al. 2021). `mirror` makes the model ask its network
    about the mirror image of each picture too and average both logits or both probabilities: part of the model, for
    twice the time. `partners` are other networks (`recipe:NAME`, run folders, model folders, models of the package)
    whose logits are averaged with this one's inside the file, as networks that were trained apart err in different
    places (Hansen and Salamon 1990); with `mirror = "turns"` they see the picture and its mirror image in turn, for
    half the time. `views` are what the calibration and the grades are fitted on, in equal parts: the validation images
    in their own frame, in the detector's crop, and in that crop with a camera's faults (`mien.train.export.views`).
    `balance` is for a promise that holds where other labels are common: a sample counts as much as the number of those
    with its label to the power of minus this, so that 0 keeps the data's proportions, 1 makes all labels equally common
    and 0.5 lies half way; for `precision` only. `acceptable` above 0 chooses where "perhaps" begins: the lowest
    confidence whose answers are that often acceptable to people, with the same `certainty`; it needs raters' votes
    (`mien.evaluation.grades`). `left_out` are outputs that are no answers, for labels that were learned too
    badly, say (`mien.models.manifest.Manifest`); grades and figures are of the answers that remain, and samples with
    these labels count as wrong."""

    name: str = ""
    version: Annotated[int, Ge(1), Le(1_000_000_000)] = 1
    threshold: Share = 0.5
    precision: Annotated[float, Ge(0), Le(0.999)] = 0.0
    certainty: Annotated[float, Ge(0.5), Le(0.9999)] = 0.95
    balance: Share = 0.0
    acceptable: Annotated[float, Ge(0), Le(0.999)] = 0.0
    views: Annotated[tuple[View, ...], MinLen(1)] = ("own",)
    weights: Weights = "float32"
    mirror: MirrorKind = "none"
    partners: tuple[str, ...] = ()
    temperature: Strength = 0.0
    calibration: CalibrationKind = "temperature"
    shift: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    licence: Text = "not stated by its maker"
    origin: str = ""


@dataclass(frozen=True, kw_only=True)
class ReferenceRecipe:
    """The published result a recipe rebuilds: `ref` names it in this project, `author_score` is a share from 0 to 1 of
    `author_metric`, and `protocol` says in words on which images it was measured and chosen."""

    ref: str = ""
    author: str = ""
    author_score: Share = 0.0
    author_metric: str = ""
    protocol: str = ""
