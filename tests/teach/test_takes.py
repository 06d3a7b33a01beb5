from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelError
from mien.teach.takes import MOST_EXAMPLES, Take, new_take, read_takes, takes_bytes

Make = Callable[..., Take]


def test_takes_come_back_as_they_were(tmp_path: Path, bank_take: Make) -> None:
    takes = (bank_take("比心"), bank_take("ok?", "rock", 12), bank_take("比心", "palm", 11))
    path = tmp_path / "takes.npz"
    path.write_bytes(takes_bytes(takes))
    again = read_takes(path)
    assert [(take.label, take.kind, take.day) for take in again] == [
        (take.label, take.kind, take.day) for take in takes
    ]
    for one, other in zip(again, takes, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


def test_a_long_take_is_thinned_evenly(bank_take: Make) -> None:
    rows = np.repeat(bank_take("x", count=1).samples, 1000, axis=0) * np.linspace(0.5, 1, 1000)[:, None, None]
    take = new_take("x", list(rows.astype(np.float32)), "camera")
    assert len(take.samples) == MOST_EXAMPLES
    steps = np.diff(take.samples[:, 9, 1])
    np.testing.assert_allclose(steps, steps.mean(), rtol=0.5)
    assert (take.samples[0] == rows[0].astype(np.float32)).all()
    assert (take.samples[-1] == rows[-1].astype(np.float32)).all()


def test_copies_of_one_hand_are_one_example(bank_take: Make) -> None:
    one = bank_take("x", count=1).samples
    still = one + np.random.default_rng(2).normal(0, 0.005, (50, *one.shape[1:])).astype(np.float32)
    assert Take("x", still, "video", "2026-11-26").different == 1
    assert bank_take("x", "none", 30).different > 25


@pytest.mark.parametrize("label", ["", " x", "a,b", "x" * 41, "a\nb"])
def test_a_take_has_a_label(label: str, bank_take: Make) -> None:
    with pytest.raises(ValueError, match="label"):
        Take(label, bank_take("x").samples, "video", "2026-11-26")


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "nan"])
def test_damaged_takes_are_told(tmp_path: Path, bank_take: Make, damage: str) -> None:
    path = tmp_path / "takes.npz"
    whole = takes_bytes([bank_take("x")])
    path.write_bytes({"cut": whole[:400], "empty": b""}.get(damage, whole))
    if damage in ("other", "nan"):
        samples = np.full((5, 22, 3), np.nan if damage == "nan" else 0.0, np.float32)
        counts = [5] if damage == "nan" else [4]
        np.savez(path, samples=samples, counts=counts, labels=["x"], kinds=["video"], days=["2026-11-26"])
    with pytest.raises(ModelError, match=r"takes\.npz cannot be read"):
        read_takes(path)
