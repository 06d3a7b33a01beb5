from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.artwork.drawings import draw_hand
from mien.teach import Take
from mien.teach.bank import load_bank

Pictures = list[NDArray[np.uint8]]


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Pictures]:
    """Drawn hands of a gesture: of several people, sizes, sides and angles, foreshortened in several ways."""

    def draw(gesture: str, count: int = 24, *, people: Sequence[str] = ("ada", "ben"), first: int = 0) -> Pictures:
        pictures = []
        for i in range(first, first + count):
            rng = np.random.default_rng(i)
            who, left = people[i % len(people)], i % 3 == 0
            image = draw_hand(gesture, person=who, left=left, size=320, angle=rng.uniform(-0.4, 0.4))
            wide, high = rng.uniform(0.75, 1.0, 2)
            small = cv2.resize(image, (round(320 * wide), round(320 * high)), interpolation=cv2.INTER_AREA)
            picture = np.full_like(image, image[0, 0])
            picture[: small.shape[0], : small.shape[1]] = small
            pictures.append(picture)
        return pictures

    return draw


@pytest.fixture(scope="session")
def bank_take() -> Callable[..., Take]:
    """A take made of hands of the bank: no detector is needed."""
    bank = load_bank()

    def make(label: str, shown: str = "call", count: int = 40, *, first: int = 0) -> Take:
        rows = np.flatnonzero(bank.labels == shown)[first : first + count]
        return Take(label, bank.samples[rows], "video", "2026-11-26")

    return make
