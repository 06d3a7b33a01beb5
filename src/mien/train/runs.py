"""What a run folder holds: the recipe, and the networks in its checkpoints."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien.errors import InputError, MienError
from mien.evaluation.evaluated_model import EvaluatedModel, ModelInfo, read_curves, read_json
from mien.files.hashes import file_sha256
from mien.labels import label_set
from mien.recipes.recipe import Recipe, recipe_from_dict
from mien.recipes.saved import RECIPE_FILE, SUMMARY_FILE, saved_recipe, saved_summary
from mien.train.networks import build_network
from mien.train.networks.network import Network

_IN_LEARNER = "network."


def run_recipe(run: Path) -> Recipe:
    """The recipe that a run folder was started with; raises InputError if it holds no run."""
    settings = run / RECIPE_FILE
    if not settings.is_file():
        raise InputError(f"{run} holds no trained run; `mien train` writes one")
    try:
        kept = json.loads(settings.read_text("utf-8-sig"))
    except (OSError, ValueError) as exc:
        raise InputError(f"{settings} is damaged: {exc}; train again into another folder") from exc
    if not isinstance(kept, dict):
        raise InputError(
            f"{settings} is damaged: it does not hold a table of settings; train again into another folder"
        )
    try:
        return recipe_from_dict(kept)
    except MienError as exc:  # a setting that was removed, or a new one without a default
        raise InputError(
            f"{settings} is not a recipe of this version of mien: {exc} Train again into another folder, or use the "
            "version that wrote it"
        ) from exc


def trained_network(run: Path) -> tuple[Recipe, Network]:
    """The recipe of a run folder and its network with the weights the recipe keeps, ready to evaluate.

    Raises:
        InputError: the folder holds no finished epoch of a run.
    """
    recipe = run_recipe(run)
    network: Network = build_network(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        network.load_state_dict(_of_network(_state(run, recipe)))
    except RuntimeError as exc:
        raise _damaged(run, recipe.fit.keep) from exc
    return recipe, network.eval()


def start_from_runs(network: Network, recipe: Recipe, runs: Sequence[Path]) -> None:
    """Give a network the weights that other runs of the same architecture found: fine-tuning.

    Weights of several runs are averaged (Wortsman et al. 2022, "Model soups"), which helps for runs that started from
    the same one. Weights of another shape, or missing in a run, stay as they are: heads of other labels, more blocks.

    Args:
        network: changed in place.
        recipe: of the run that starts.
        runs: the folders whose weights are used, as kept by their recipes; at least one.

    Raises:
        InputError: a folder holds no finished epoch, or one of another architecture.
    """
    own = network.state_dict()
    found = [_fitting(own, recipe, run) for run in runs]
    shared = [name for name in found[0] if all(name in each for each in found)]
    averaged = {
        name: torch.stack([each[name] for each in found]).mean(dim=0)
        if own[name].is_floating_point()
        else found[0][name]
        for name in shared
    }
    network.load_state_dict(own | averaged)


def _fitting(own: Mapping[str, Tensor], recipe: Recipe, run: Path) -> dict[str, Tensor]:
    """The weights of a run's network that fit another network's state."""
    before = run_recipe(run)
    if before.network.name != recipe.network.name:
        raise InputError(
            f"{run} trained the network {before.network.name}, the recipe {recipe.name} has {recipe.network.name}; "
            "a run can only start from one of its own architecture"
        )
    state = _state(run, before)
    found = _of_network(state)
    fitting = {name: tensor for name, tensor in found.items() if name in own and tensor.shape == own[name].shape}
    if 2 * len(fitting) < len(found):
        raise InputError(
            f"{run} trained another form of {recipe.network.name}: {len(fitting)} of its {len(found)} weights fit; "
            "compare the two recipes' [network] settings"
        )
    return fitting


def checkpoint_of(run: Path, name: str) -> Mapping[str, Any]:
    """Everything that a checkpoint of a run holds.

    Args:
        run: the folder.
        name: `best` or `last`.

    Raises:
        InputError: there is none, or it is damaged.
    """
    checkpoint = run / "checkpoints" / f"{name}.ckpt"
    if not checkpoint.is_file():
        raise InputError(f"{run} has no finished epoch yet; `mien train --resume` continues it")
    return read_checkpoint(checkpoint)


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """Everything that a checkpoint holds, on the CPU.

    Raises:
        InputError: it is damaged, or loading all of it would run code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a pickle of another protocol: it fails or loads
            stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as exc:
        raise InputError(
            f"{path} is damaged, or holds more than weights, numbers and words, which may run code; it was not "
            "loaded. Get the run from somebody you trust, or train again"
        ) from exc
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError) as exc:
        raise InputError(f"{path} is damaged or not a checkpoint; train again") from exc
    if not isinstance(stored, Mapping):
        raise InputError(f"{path} is damaged: it holds {type(stored).__name__} instead of a checkpoint; train again")
    return stored


def _state(run: Path, recipe: Recipe) -> Mapping[str, Tensor]:
    stored = checkpoint_of(run, recipe.fit.keep)
    if "state_dict" not in stored:
        raise _damaged(run, recipe.fit.keep)
    state: Mapping[str, Tensor] = stored["state_dict"]
    return state


def _of_network(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(_IN_LEARNER): tensor for name, tensor in state.items() if name.startswith(_IN_LEARNER)}


def _damaged(run: Path, name: str) -> InputError:
    checkpoint = run / "checkpoints" / f"{name}.ckpt"
    return InputError(
        f"{checkpoint} is damaged, or belongs to another recipe or version than {run / RECIPE_FILE}; train again"
    )


def open_run(folder: Path, *, device: str = "auto", bfloat16: bool = False) -> EvaluatedModel:
    """The network of a run folder, with the weights that its recipe keeps.

    Args:
        folder: the run.
        device: auto, cpu or cuda.
        bfloat16: compute convolutions and matrix products in bfloat16: up to three times as fast if the hardware can,
            and probabilities differ by up to 0.01.

    Raises:
        InputError: it holds no finished epoch, or there is no such device.
    """
    recipe, network = trained_network(folder)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no CUDA device here; choose --device cpu or auto")
    chosen = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
    network.to(chosen, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def forward(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode(), torch.autocast(chosen.type, torch.bfloat16, enabled=bfloat16):
            return np.asarray(network(torch.from_numpy(batch).to(chosen)).float().cpu().numpy())

    checkpoint = folder / "checkpoints" / f"{recipe.fit.keep}.ckpt"
    about = ModelInfo(
        kind="run",
        name=recipe.name,
        sha256=file_sha256(checkpoint),
        bytes=checkpoint.stat().st_size,
        parameters=sum(p.numel() for p in network.parameters()),
        recipe=saved_recipe(read_json(folder / RECIPE_FILE), folder / RECIPE_FILE),
        summary=saved_summary(read_json(folder / SUMMARY_FILE), folder / SUMMARY_FILE),
        curves=read_curves(folder),
    )
    return EvaluatedModel(
        about,
        labels=label_set(recipe.label_set).labels,
        spec=recipe.input_spec(),
        threshold=recipe.export.threshold,
        temperature=None,
        forward=forward,
    )
