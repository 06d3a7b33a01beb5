"""Networks whose first part was pre-trained on ImageNet: where its weights come from and what stays frozen."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from mien.errors import InputError, MissingExtra, RecipeError
from mien.files.hashes import file_sha256
from mien.train.networks.network import Network

if TYPE_CHECKING:
    from typing_extensions import Self

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,})\.pth$")
"""torch.hub's convention: a published file has the first digits of its SHA-256 in its name."""


class Transfer(Network):
    """A classifier on pre-trained `features`; subclasses set the attributes.

    All parts except the last `unfreeze` are frozen: their weights have no gradient. All of `features` stays in
    evaluation mode unless `own_statistics`: the statistics of its batch norms remain ImageNet's even where weights are
    trained. Statistics of one small, augmented data set cost accuracy on images in other light.
    """

    published: ClassVar[str]
    """Name of the file that holds the weights."""
    hub: ClassVar[str] = ""
    """Where torch.hub finds that file; empty if it does not."""
    package: ClassVar[str] = ""
    """The installed package that contains that file; empty if none does."""

    features: nn.Sequential
    own_statistics: bool = False

    def features_of(self, images: Tensor) -> Tensor:
        """What the pre-trained part makes of (B, C, H, W) images: (B, ...), all that `heads_of` needs."""
        features: Tensor = self.features(images)
        return features

    def heads_of(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """The two heads of logits, as `heads`, from what `features_of` gave."""
        raise NotImplementedError

    def heads(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (B, labels) of the label head and, if there is one, of the votes head, for (B, C, H, W) images."""
        return self.heads_of(self.features_of(images))

    @property
    def learns_features(self) -> bool:
        """Whether a weight of the pre-trained part is trained."""
        return any(weight.requires_grad for weight in self.features.parameters())

    def freeze(self, parts: Sequence[nn.Module], unfreeze: int) -> None:
        """Freeze all parts of `features` except the last `unfreeze`; raises RecipeError if there are fewer."""
        if not 0 <= unfreeze <= len(parts):
            raise RecipeError(f"network.unfreeze must lie between 0 and {len(parts)} for this network, got {unfreeze}")
        for part in parts[: len(parts) - unfreeze]:
            part.requires_grad_(False)
        if not self.own_statistics:
            self.features.eval()  # Lightning trains modules in the mode they arrive in

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode for everything, or for everything except `features`."""
        super().train(mode)
        if not self.own_statistics:
            self.features.eval()
        return self

    def load_imagenet(self, weights: str | Path) -> None:
        """Load the weights of `features`.

        Args:
            weights: a file, `package`, `hub`, or `none`, which leaves them random.

        Raises:
            RecipeError: no source was named, or one that this network does not have.
            InputError: the file is missing, damaged, of another network, or cannot be downloaded.
            MissingExtra: the package is not installed.
        """
        if weights == "":
            raise RecipeError(
                f"This network starts from ImageNet weights; name {self.published} with --weights FILE"
                f"{self._sources()} (--weights none starts from random ones)"
            )
        if weights == "none":
            return
        if weights == "hub":
            fill(self.features, self.our_names(self._from_hub()), self.hub)
            return
        path = self._from_package() if weights == "package" else Path(weights)
        fill(self.features, self.our_names(read_state(path)), str(path))

    def our_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of `features` from a published file, by their names in `features`."""
        raise NotImplementedError

    def _from_package(self) -> Path:
        if not self.package:
            raise RecipeError(f"No package carries {self.published}; use --weights FILE{self._sources()}")
        try:
            return Path(str(resources.files(self.package) / "models" / self.published))
        except ModuleNotFoundError as exc:
            if exc.name != self.package:  # a fault inside it
                raise
            raise MissingExtra("train", self.package) from exc

    def _from_hub(self) -> Mapping[str, Tensor]:
        if not self.hub:
            raise RecipeError(f"torch.hub has no {self.published}; use --weights FILE{self._sources()}")
        try:
            state: Mapping[str, Tensor] = torch.hub.load_state_dict_from_url(
                self.hub, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
        except (OSError, RuntimeError) as exc:  # no network; another hash
            raise InputError(
                f"The weights cannot be downloaded from {self.hub} ({exc}); download them elsewhere and name the "
                "file with --weights FILE"
            ) from exc
        return state

    def _sources(self) -> str:
        return (", or --weights hub to download it" if self.hub else "") + (
            ", or --weights package" if self.package else ""
        )


def read_state(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file that torch saved, by name; nothing in it is run.

    Raises:
        InputError: the file is missing, does not have the hash in its name, or holds anything else.
    """
    try:
        _check_hash(path)
    except OSError as exc:
        raise InputError(f"The weights file {path} cannot be read: {exc.strerror or exc}") from exc
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a pickle of another protocol: it fails or loads
            state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError) as exc:
        raise InputError(f"{path} is damaged or not a weights file written by torch.save; download it again") from exc
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} does not hold a state dict (tensors by name); save model.state_dict()")
    return state


def fill(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load all weights of a module; raises InputError if one is missing or has another shape."""
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in state]
    if missing:
        raise InputError(
            f"{source} holds another network: {len(missing)} of {len(wanted)} weights are missing, {missing[0]} first"
        )
    for name, tensor in wanted.items():
        if state[name].shape != tensor.shape:
            raise InputError(
                f"{source} holds another network: {name} is {tuple(state[name].shape)} there, "
                f"{tuple(tensor.shape)} was expected"
            )
    module.load_state_dict({name: state[name] for name in wanted})


def _check_hash(path: Path) -> None:
    sha256 = file_sha256(path)
    named = _HASH_IN_NAME.search(path.name)
    if named is not None and not sha256.startswith(named[1]):
        raise InputError(
            f"{path} is damaged: its SHA-256 starts with {sha256[:8]}, not with {named[1]} as its name "
            "says; download it again"
        )
