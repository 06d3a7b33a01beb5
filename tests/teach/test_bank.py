from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelError
from mien.labels import GESTURES
from mien.stages.classify import GestureClassifier
from mien.teach.bank import BANK, load_bank


def test_the_bank_is_small_balanced_and_says_its_licence() -> None:
    bank = load_bank()
    assert BANK.stat().st_size < 1e6
    numbers = {label: int((bank.labels == label).sum()) for label in GESTURES.labels}
    assert len({numbers[label] for label in GESTURES.labels if label != "none"}) == 1
    assert numbers["none"] >= numbers["rock"]
    assert bank.licence.startswith("HaGRID")
    assert BANK.relative_to(BANK.parents[2]).as_posix() in (Path(__file__).parents[2] / "NOTICE").read_text()


def test_its_hands_are_canonical_and_show_what_is_said() -> None:
    bank = load_bank()
    points, top = bank.samples[:, :21], bank.samples[:, 21]
    np.testing.assert_allclose(points[:, 0], 0, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(top, axis=1), 1, atol=2e-3)
    with GestureClassifier() as gestures:
        answers = np.array(GESTURES.labels)[gestures.probabilities(bank.samples).argmax(axis=1)]
    assert (answers == bank.labels).mean() > 0.9


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_damaged_bank_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bank.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="install mien again"):
        load_bank(path)


def test_a_bank_of_other_gestures_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bank.npz"
    np.savez(path, samples=np.zeros((1, 22, 3)), labels=np.array(["wave"]), licence="none")
    with pytest.raises(ModelError, match="known gestures"):
        load_bank(path)
