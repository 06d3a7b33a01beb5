from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.readers.pictures import Listing, Sample, read_listing
from mien.errors import DataError, MienError, UnreadableMedia
from mien.labels import EMOTIONS_6
from mien.pixels.images import write_image
from mien.pixels.preprocess import InputSpec, fit_crop

GREY = InputSpec(size_hw=(6, 6), colour="grey")


def listing(folder: Path, values: list[int]) -> Listing:
    """A picture of one colour for each value; none is written for a negative one."""
    pictures = []
    for i, value in enumerate(values):
        path = folder / f"{i}.png"
        if value >= 0:
            write_image(path, np.full((9, 7, 3), value, np.uint8))
        pictures.append(Sample(path, path.name, i % 6, "train", f"g{i % 2}"))
    return Listing(tuple(pictures), EMOTIONS_6, "made up", ("made up",))


def test_many_pictures_come_in_their_order(tmp_path: Path) -> None:
    steps: list[int] = []
    dataset = read_listing(listing(tmp_path, list(range(200))), GREY, on_step=steps.append)
    assert dataset.samples.shape == (200, 6, 6)
    assert dataset.samples[:, 0, 0].tolist() == list(range(200))
    assert dataset.labels.tolist() == [i % 6 for i in range(200)]
    assert steps == list(range(1, 201))
    assert dataset.names is not None
    assert dataset.names[-1] == "199.png"


def test_colour_has_three_channels_in_the_order_red_green_blue(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 200
    write_image(path, image)
    one = Listing((Sample(path, "a.png", 0, "test", ""),), EMOTIONS_6, "made up")
    samples = read_listing(one, InputSpec(size_hw=(4, 5), colour="rgb")).samples
    assert samples.shape == (1, 4, 5, 3)
    assert samples[0, 0, 0].tolist() == [200, 0, 0]


def test_samples_are_fitted_as_crops_are_at_run_time(tmp_path: Path) -> None:
    image = np.random.default_rng(1).integers(0, 255, (40, 30, 3), np.uint8)
    write_image(tmp_path / "a.png", image)
    one = Listing((Sample(tmp_path / "a.png", "a.png", 0, "train", ""),), EMOTIONS_6, "made up")
    np.testing.assert_array_equal(read_listing(one, GREY).samples[0], fit_crop(image, GREY))


def test_an_unreadable_picture_is_told_and_left_out(tmp_path: Path) -> None:
    problems: list[MienError] = []
    dataset = read_listing(listing(tmp_path, [10, -1, 30]), GREY, on_problem=problems.append)
    assert dataset.samples[:, 0, 0].tolist() == [10, 30]
    assert dataset.groups.tolist() == ["g0", "g0"]
    assert "1.png" in str(problems[0])
    assert str(problems[1]) == "made up has no usable picture of the class 'fear'"
    assert dataset.caveats == ("made up", "There are no pictures of fear, sad, surprise, neutral.")


def test_without_a_listener_the_first_problem_is_raised(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match=r"1\.png"):
        read_listing(listing(tmp_path, [10, -1, 30, -1]), GREY)


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="made up has no usable picture"):
        read_listing(listing(tmp_path, [-1, -1]), GREY, on_problem=[].append)


def test_a_crop_may_be_made_otherwise_or_refused(tmp_path: Path) -> None:
    def crop(image_rgb: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
        if image_rgb[0, 0, 0] > 15:
            raise DataError(f"{path} is too bright")
        return np.full((6, 6), 7, np.uint8)

    problems: list[MienError] = []
    dataset = read_listing(listing(tmp_path, [10, 20]), GREY, crop=crop, on_problem=problems.append)
    assert dataset.samples.tolist() == [[[7] * 6] * 6]
    assert str(problems[0]) == f"{tmp_path / '1.png'} is too bright"


def test_an_error_of_ours_ends_the_reading(tmp_path: Path) -> None:
    def crop(image_rgb: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read_listing(listing(tmp_path, [1] * 300), GREY, crop=crop)
