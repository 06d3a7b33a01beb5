from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.pixels.preprocess import InputSpec, crop_face, crop_square, face_angle, fit_crop, to_batch
from mien.schema import checked

Bytes = NDArray[np.uint8]


def spec(size: int = 48, **changes: Any) -> InputSpec:
    return InputSpec(size_hw=(size, size), **changes)


def smooth_picture(height: int = 160, width: int = 200) -> Bytes:
    """Three different slow waves: what interpolation changes in it is small."""
    y, x = np.mgrid[:height, :width] / 30
    waves = [np.sin(x + 0.5 * y), np.cos(y - 0.3 * x), np.sin(x - y)]
    return (127.5 + 120 * np.stack(waves, axis=-1)).round().astype(np.uint8)


def turned(image: Bytes, centre_xy: tuple[float, float], angle: float, scale: float) -> Bytes:
    """The picture turned clockwise on screen and enlarged around a point, by brute force in floats."""
    height, width, _ = image.shape
    y, x = np.mgrid[:height, :width] + 0.5
    dx, dy = (x - centre_xy[0]) / scale, (y - centre_xy[1]) / scale
    cos, sin = math.cos(angle), math.sin(angle)
    source_x = np.clip(cos * dx + sin * dy + centre_xy[0] - 0.5, 0, width - 1.001)
    source_y = np.clip(-sin * dx + cos * dy + centre_xy[1] - 0.5, 0, height - 1.001)
    left, top = source_x.astype(int), source_y.astype(int)
    right, low = (source_x - left)[..., None], (source_y - top)[..., None]
    upper = image[top, left] * (1 - right) + image[top, left + 1] * right
    lower = image[top + 1, left] * (1 - right) + image[top + 1, left + 1] * right
    return (upper * (1 - low) + lower * low).round().astype(np.uint8)


def difference(first: Bytes, second: Bytes) -> float:
    return float(np.abs(first.astype(float) - second).mean())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"size_hw": (0, 48)}, "size_hw"),
        ({"size_hw": (48, 48, 3)}, "size_hw"),
        ({"colour": "bgr"}, "bgr"),
        ({"layout": "nc"}, "nchw"),
        ({"kind": "sound"}, "sound"),
        ({"mean": (0.1, 0.2)}, "one per channel"),
        ({"mean": (0.1,), "std": (0.1, 0.2, 0.3)}, "one per channel"),
        ({"colour": "grey", "mean": (0.1, 0.2, 0.3), "std": (0.1, 0.2, 0.3)}, "one per channel"),
        ({"std": (0.0,)}, "std must be above 0"),
        ({"std": (math.inf,)}, "finite"),
        ({"mean": (math.nan,)}, "finite"),
        ({"margin": -0.5}, "margin"),
        ({"margin": math.nan}, "margin"),
    ],
)
def test_a_wrong_spec_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        InputSpec(**({"size_hw": (48, 48)} | changes))


def test_a_spec_reads_back_equal() -> None:
    made = spec(colour="grey", layout="nhwc", mean=(0.5,), std=(0.25,), margin=0.1, level=True)
    assert checked(InputSpec, made.to_dict(), whole="input", wrong=ValueError) == made
    assert spec().channels == 3
    assert made.channels == 1


def test_batch_values_by_hand() -> None:
    images = np.array([[[0, 51], [102, 255]]], np.uint8)
    batch = to_batch(images, spec(2, colour="grey", mean=(0.5,), std=(0.25,)))
    assert batch.dtype == np.float32
    np.testing.assert_allclose(batch, [[[[-2.0, -1.2], [-0.4, 2.0]]]], atol=1e-6)


def test_batch_normalises_each_channel_by_its_own_numbers() -> None:
    image = np.full((1, 2, 2, 3), (51, 102, 204), np.uint8)
    batch = to_batch(image, spec(2, mean=(0.1, 0.2, 0.3), std=(0.1, 0.2, 0.5)))
    np.testing.assert_allclose(batch[0, :, 0, 0], [1.0, 1.0, 1.0], atol=1e-6)


def test_layouts_hold_the_same_numbers() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    first, last = to_batch(images, spec(8)), to_batch(images, spec(8, layout="nhwc"))
    assert (first.shape, last.shape) == ((3, 3, 8, 8), (3, 8, 8, 3))
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), last)
    assert first.flags.c_contiguous
    grey = to_batch(images[..., 0], spec(8, colour="grey"))
    assert grey.shape == (3, 1, 8, 8)
    np.testing.assert_array_equal(grey[:, 0], first[:, 0])


def test_an_item_does_not_depend_on_its_batch() -> None:
    images = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3), np.uint8)
    whole = to_batch(images, spec(8, mean=(0.4,), std=(0.2,)))
    for i in range(5):
        np.testing.assert_array_equal(to_batch(images[i : i + 1], spec(8, mean=(0.4,), std=(0.2,)))[0], whole[i])
    assert to_batch(images[:0], spec(8)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 8, 9, 3), np.uint8),
        np.zeros((2, 9, 8, 3), np.uint8),
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 1), np.uint8),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((8, 8), np.uint8),
        np.zeros((2, 8, 8, 3), np.float32),
    ],
    ids=lambda images: f"{images.shape}-{images.dtype}",
)
def test_crops_of_another_form_are_refused(images: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"expected crops of \(8, 8\) with 3 channels"):
        to_batch(images, spec(8))


@pytest.mark.parametrize("colour", ["rgb", "grey"])
@pytest.mark.parametrize("corner_xy", [(0, 0), (37, 51), (152, 112)])
def test_at_its_own_scale_a_crop_is_a_slice(corner_xy: tuple[int, int], colour: Any) -> None:
    image = np.random.default_rng(2).integers(0, 256, (160, 200, 3), np.uint8)
    x, y = corner_xy
    crop = crop_face(image, (x, y, x + 48, y + 48), spec(colour=colour))
    cut = image[y : y + 48, x : x + 48]
    np.testing.assert_array_equal(crop, cut if colour == "rgb" else fit_crop(cut, spec(colour="grey")))


@pytest.mark.parametrize("centre_xy", [(90.0, 60.0), (3.0, 118.0), (-60.0, 60.0), (400.0, -90.0)])
@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
def test_a_grey_crop_is_the_colour_crop_in_grey(centre_xy: tuple[float, float], angle: float) -> None:
    """Although only the part of the picture that it needs is made grey; wherever it lies."""
    image = smooth_picture(120, 180)
    grey = crop_square(image, centre_xy, 50.0, angle, spec(24, colour="grey", mean=(0.5,), std=(0.25,)))
    colour = crop_square(image, centre_xy, 50.0, angle, spec(24, colour="rgb", mean=(0.5,), std=(0.25,)))
    weighed = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - weighed).max() <= 2.5


def test_grey_weighs_red_green_and_blue() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[:, 0, 0], image[:, 1, 1], image[:, 2, 2] = 255, 255, 255
    grey = fit_crop(image, InputSpec(size_hw=(2, 3), colour="grey"))
    np.testing.assert_array_equal(grey, [[76, 150, 29]] * 2)


def test_the_crop_is_a_square_around_the_middle_of_the_box() -> None:
    image = smooth_picture()
    tall = crop_face(image, (90.0, 40.0, 110.0, 100.0), spec())
    np.testing.assert_array_equal(tall, crop_square(image, (100.0, 70.0), 60.0, 0.0, spec()))


def test_the_margin_reaches_beyond_the_box_on_each_side() -> None:
    image = smooth_picture()
    box = (60.0, 40.0, 100.0, 80.0)
    with_margin = crop_face(image, box, spec(margin=0.25))
    np.testing.assert_array_equal(with_margin, crop_face(image, (50.0, 30.0, 110.0, 90.0), spec()))


@pytest.mark.parametrize("shift_xy", [(13, 0), (0, 21), (17, 9)])
@pytest.mark.parametrize("side", [30.0, 48.0, 61.0])
def test_moving_picture_and_box_together_changes_nothing(shift_xy: tuple[int, int], side: float) -> None:
    image = smooth_picture()
    dx, dy = shift_xy
    moved = np.roll(image, (dy, dx), axis=(0, 1))
    box = (50.25, 40.5, 50.25 + side, 40.5 + side)
    crop = crop_face(image, box, spec())
    crop_moved = crop_face(moved, (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy), spec())
    assert np.abs(crop.astype(int) - crop_moved).max() <= 1


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_enlarging_picture_and_box_together_changes_little(factor: int) -> None:
    image = smooth_picture()
    large = image.repeat(factor, axis=0).repeat(factor, axis=1)
    box = (50.0, 40.0, 98.0, 88.0)
    crop_large = crop_face(large, tuple(factor * v for v in box), spec())
    assert np.abs(crop_face(image, box, spec()).astype(int) - crop_large).max() <= 2


@pytest.mark.parametrize("angle", [-0.7, 0.3, 1.2])
@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_a_level_crop_does_not_see_how_the_face_is_turned(angle: float, scale: float) -> None:
    image = smooth_picture()
    centre = (100.0, 80.0)
    level = spec(level=True)
    upright = crop_face(image, (76.0, 56.0, 124.0, 104.0), level, keypoints_xy=((90.0, 70.0), (110.0, 70.0)))
    half = 24 * scale
    cos, sin = math.cos(angle), math.sin(angle)

    def moved(x: float, y: float) -> tuple[float, float]:
        dx, dy = scale * (x - centre[0]), scale * (y - centre[1])
        return centre[0] + cos * dx - sin * dy, centre[1] + sin * dx + cos * dy

    box = (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
    crop = crop_face(
        turned(image, centre, angle, scale), box, level, keypoints_xy=(moved(90.0, 70.0), moved(110.0, 70.0))
    )
    assert difference(crop, upright) < 1.5
    assert difference(crop_face(turned(image, centre, angle, scale), box, spec()), upright) > 10


@pytest.mark.parametrize("degrees", range(-170, 181, 35))
def test_the_angle_of_a_face_is_how_far_it_is_rolled(degrees: int) -> None:
    """All the way round: the mouth tells up from down."""
    upright = np.array([(-15, -10), (15, -10), (0, 5), (-10, 20), (10, 20)], float)
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    points = [(x + 200, y + 100) for x, y in (upright @ turn).tolist()]
    assert face_angle(points) == pytest.approx(angle)
    assert face_angle(points[:2]) == pytest.approx(angle)
    assert face_angle([]) == 0.0


def test_the_mouth_steadies_the_angle_where_the_eyes_are_close_together() -> None:
    """In a profile an error of two pixels in an eye turns the line between the eyes by half a right angle."""
    profile = [(100.0, 50.0), (102.0, 52.0), (110.0, 60.0), (100.0, 80.0), (102.0, 80.0)]
    assert math.degrees(face_angle(profile[:2])) == pytest.approx(45)
    assert abs(math.degrees(face_angle(profile))) < 5


def test_level_eyes_end_up_on_one_row() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    right_eye, left_eye = (35.5, 40.5), (65.5, 58.5)
    for x, y in (right_eye, left_eye):
        image[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = 255
    crop = crop_face(image, (20, 20, 80, 80), spec(60, level=True), keypoints_xy=(right_eye, left_eye))[..., 0]
    rows, columns = np.nonzero(crop > 128)
    left_half = columns < 30
    assert left_half.any()
    assert (~left_half).any()
    assert abs(rows[left_half].mean() - rows[~left_half].mean()) < 0.5
    # Without keypoints, or without `level`, nothing is turned.
    np.testing.assert_array_equal(
        crop_face(image, (20, 20, 80, 80), spec(60, level=True)), crop_face(image, (20, 20, 80, 80), spec(60))
    )


def test_what_lies_outside_repeats_the_border() -> None:
    image = smooth_picture(60, 60)
    crop = crop_face(image, (-20, -20, 28, 28), spec())
    np.testing.assert_array_equal(crop[20:, 20:], image[:28, :28])
    np.testing.assert_array_equal(crop[:20, 20:], np.repeat(image[:1, :28], 20, axis=0))
    np.testing.assert_array_equal(crop[:20, :20], np.broadcast_to(image[0, 0], (20, 20, 3)))


@pytest.mark.parametrize("offset", [0.0, 0.5])  # samples between two stripes, samples in the middle of one
@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_fine_stripes_average_out_instead_of_aliasing(ratio: int, offset: float) -> None:
    stripes = np.zeros((48 * ratio + 20, 48 * ratio + 20, 3), np.uint8)
    stripes[:, ::2] = 255
    centre = 24 * ratio + 10 + offset
    crop = crop_square(stripes, (centre, centre), 48.0 * ratio, 0.0, spec())
    assert np.abs(crop.astype(float) - 127.5).max() < 6


@pytest.mark.parametrize("size_hw", [(20, 475), (475, 20), (475, 475)])
def test_a_ready_crop_is_averaged_along_each_side_that_shrinks(size_hw: tuple[int, int]) -> None:
    image = np.zeros((*size_hw, 3), np.uint8)
    if size_hw[1] == 475:
        image[:, ::2] = 255
    else:
        image[::2] = 255
    crop = fit_crop(image, spec())
    assert crop.shape == (48, 48, 3)
    assert np.abs(crop.astype(float) - 127.5).max() < 6


def test_a_ready_crop_of_the_right_size_stays_as_it_is() -> None:
    image = smooth_picture(48, 48)
    np.testing.assert_array_equal(fit_crop(image, spec()), image)


def test_a_ramp_keeps_its_values_wherever_it_is_cut() -> None:
    """In a picture with value x + y the crop's value follows from geometry alone."""
    y, x = np.mgrid[:120, :120]
    image = np.repeat((x + y)[..., None], 3, axis=2).astype(np.uint8)
    angle, side, centre = 0.4, 31.0, (60.25, 57.5)
    crop = crop_square(image, centre, side, angle, spec(24)).astype(float)[..., 0]
    v, u = (np.mgrid[:24, :24] + 0.5) / 24 * side - side / 2
    cos, sin = math.cos(angle), math.sin(angle)
    expected = (centre[0] + cos * u - sin * v - 0.5) + (centre[1] + sin * u + cos * v - 0.5)
    assert np.abs(crop - expected).max() < 1.1


def test_golden_crops_and_batches() -> None:
    """Changes only when preprocessing changes: then every model must be trained and measured again."""
    y, x = np.mgrid[:200, :240]
    image = np.repeat(((7 * x + 13 * y + x * y // 16) % 256)[..., None], 3, axis=2).astype(np.uint8)
    flat = image // 4 * 4
    digest = hashlib.sha256()
    for box, made in (
        ((30, 40, 78, 88), spec(colour="grey", mean=(0.505,), std=(0.254,))),
        ((-10, -20, 38, 28), spec(colour="rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))),
        ((30, 40, 70, 80), spec(colour="grey", margin=0.1, layout="nhwc")),
    ):
        batch = to_batch(crop_face(flat, box, made)[None], made)
        # Thousandths: float32 arithmetic differs between processors in the seventh digit only.
        digest.update(np.round(batch * 1000).astype("<i4").tobytes())
    blocks = flat[:96:2, :96:2].repeat(2, axis=0).repeat(2, axis=1)  # halving it is exact
    digest.update(crop_face(blocks, (0, 0, 96, 96), spec(colour="grey")).tobytes())
    assert digest.hexdigest() == "8ae3870153a13df3bdd05045f36491d3d40c578ca890aa8e8e0e58e055441e50"


def test_lift_moves_the_crop_up_along_the_face() -> None:
    rows = np.repeat(np.arange(200, dtype=np.uint8)[:, None, None], 200, axis=1).repeat(3, axis=2)
    box = (60.0, 80.0, 100.0, 120.0)
    plain, lifted = (crop_face(rows, box, InputSpec(size_hw=(40, 40), lift=lift)) for lift in (0.0, 0.25))
    assert (plain.astype(int) - lifted.astype(int) == 10).all()
    # A face lying on its side (the eyes one above the other): up is to the side.
    columns = rows.transpose(1, 0, 2).copy()
    eyes = ((80.0, 90.0), (80.0, 110.0))
    spec = InputSpec(size_hw=(40, 40), level=True)
    turned = [crop_face(columns, box, replace(spec, lift=lift), keypoints_xy=eyes) for lift in (0.0, 0.25)]
    assert np.abs(turned[1].astype(int) - turned[0].astype(int) - 10).max() <= 1
