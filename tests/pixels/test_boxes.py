from __future__ import annotations

import math

import numpy as np
import pytest

from mien.pixels.boxes import (
    Letterbox,
    RotatedRoi,
    area,
    areas,
    bounding_box,
    group_overlapping,
    iou,
    nesting,
    shared_area,
    tile_boxes,
    weighted_nms,
)

RNG = np.random.default_rng(0)


def _boxes(count: int) -> np.ndarray:
    corner = RNG.uniform(-50, 50, (count, 2))
    return np.concatenate([corner, corner + RNG.uniform(1, 60, (count, 2))], axis=1)


def test_iou_of_a_box_with_itself_is_one_and_of_two_is_symmetric() -> None:
    boxes = _boxes(20)
    overlaps = iou(boxes, boxes)
    np.testing.assert_allclose(np.diag(overlaps), 1)
    np.testing.assert_allclose(overlaps, overlaps.T)
    assert ((overlaps >= 0) & (overlaps <= 1 + 1e-12)).all()


def test_single_boxes_have_the_areas_that_boxes_in_arrays_have() -> None:
    a, b = _boxes(20), _boxes(20)
    own, shared = (
        [area(tuple(box)) for box in a],
        [shared_area(tuple(one), tuple(other)) for one, other in zip(a, b, strict=True)],
    )
    np.testing.assert_allclose(own, areas(a))
    np.testing.assert_allclose(shared, np.diag(iou(a, b)) / (1 + np.diag(iou(a, b))) * (areas(a) + areas(b)))
    assert min(shared) == 0 < max(shared), "some overlap, some do not"


def test_iou_does_not_change_when_both_move_and_grow() -> None:
    a, b = _boxes(5), _boxes(7)
    np.testing.assert_allclose(iou(a, b), iou(3 * a + 11, 3 * b + 11))


def test_iou_by_hand() -> None:
    a = np.array([[0.0, 0, 2, 2]])
    b = np.array([[1.0, 1, 3, 3], [2, 2, 4, 4], [5, 5, 5, 9]])
    np.testing.assert_allclose(iou(a, b), [[1 / 7, 0, 0]])


def test_suppression_keeps_the_best_of_each_group() -> None:
    boxes, scores = _boxes(60), RNG.random(60)
    kept = np.array([group[0] for group in group_overlapping(boxes, scores, overlap=0.3)])
    between = iou(boxes[kept], boxes[kept]) - np.eye(len(kept))
    assert between.max() <= 0.3
    assert (np.diff(scores[kept]) <= 0).all()
    for i in set(range(60)) - set(kept.tolist()):
        better = kept[scores[kept] >= scores[i]]
        assert iou(boxes[i : i + 1], boxes[better]).max() > 0.3


def test_nesting_by_hand() -> None:
    outer, inner, apart = (0.0, 0.0, 10.0, 10.0), (2.0, 2.0, 4.0, 6.0), (9.0, 0.0, 19.0, 10.0)
    boxes = np.array([outer, inner, apart])
    np.testing.assert_allclose(nesting(boxes, boxes), [[1, 1, 0.1], [1, 1, 0], [0.1, 0, 1]])
    flat = np.array([(3.0, 3.0, 3.0, 8.0)])
    assert nesting(flat, boxes).max() == 0


def test_boxes_inside_one_another_are_one_group_where_asked() -> None:
    boxes = np.array([(0.0, 0.0, 10.0, 10.0), (2.0, 2.0, 4.0, 6.0), (9.0, 0.0, 19.0, 10.0)])
    scores = np.array([0.5, 0.9, 0.7])
    assert [group.tolist() for group in group_overlapping(boxes, scores, overlap=0.5)] == [[1], [2], [0]]
    assert [g.tolist() for g in group_overlapping(boxes, scores, overlap=0.5, nested=0.8)] == [[1, 0], [2]]


def test_suppression_of_nothing() -> None:
    assert group_overlapping(np.zeros((0, 4)), np.zeros(0), overlap=0.3) == []
    assert weighted_nms(np.zeros((0, 6)), np.zeros(0), []).shape == (0, 6)


def test_groups_are_a_partition_whatever_the_order() -> None:
    boxes, scores = _boxes(40), RNG.random(40)
    groups = group_overlapping(boxes, scores, overlap=0.2)
    assert sorted(np.concatenate(groups).tolist()) == list(range(40))
    order = RNG.permutation(40)
    again = group_overlapping(boxes[order], scores[order], overlap=0.2)
    assert [set(order[group].tolist()) for group in again] == [set(group.tolist()) for group in groups]


def test_blending_stays_inside_the_group_and_leans_to_the_better() -> None:
    values = np.array([[0.0, 10.0], [1.0, 20.0]])
    (row,) = weighted_nms(values, np.array([0.75, 0.25]), [np.array([0, 1])])
    np.testing.assert_allclose(row, [0.25, 12.5])


@pytest.mark.parametrize("size_hw", [(480, 640), (640, 480), (1, 1), (1, 999), (1080, 1920), (256, 256), (37, 91)])
@pytest.mark.parametrize("frame_hw", [(256, 256), (192, 192), (100, 300)])
def test_letterbox_fits_and_inverts(size_hw: tuple[int, int], frame_hw: tuple[int, int]) -> None:
    box = Letterbox.fit(size_hw, frame_hw)
    points = RNG.uniform(-100, 2000, (30, 2))
    np.testing.assert_allclose(box.inverse(box.forward(points)), points, atol=1e-9)
    corners = box.forward(np.array([[0, 0], [size_hw[1], size_hw[0]]], np.float64))
    assert (corners >= -1e-9).all()
    assert (corners <= np.array(frame_hw[::-1]) + 1e-9).all()
    assert box.inner_hw[0] == frame_hw[0] or box.inner_hw[1] == frame_hw[1]


def test_square_maps_there_and_back() -> None:
    square = RotatedRoi((30.0, -4.0), 17.0, 0.7)
    points = RNG.uniform(-2, 3, (50, 2))
    np.testing.assert_allclose(square.from_pixels(square.to_pixels(points)), points, atol=1e-12)
    np.testing.assert_allclose(square.to_pixels(np.array([0.5, 0.5])), square.centre_xy)


def test_square_without_turn_is_a_box() -> None:
    corners = RotatedRoi((10.0, 20.0), 4.0, 0.0).to_pixels(np.array([[0.0, 0.0], [1.0, 1.0]]))
    np.testing.assert_allclose(corners, [[8, 18], [12, 22]])


def test_square_turned_by_a_quarter_points_down() -> None:
    square = RotatedRoi((0.0, 0.0), 2.0, math.pi / 2)
    np.testing.assert_allclose(square.to_pixels(np.array([1.0, 0.5])), [0, 1], atol=1e-12)
    np.testing.assert_allclose(square.moved(1, 0).centre_xy, (0, 2), atol=1e-12)


def test_square_scaling_keeps_the_middle() -> None:
    square = RotatedRoi((3.0, 4.0), 2.0, 1.0).scaled(2.5)
    assert (square.centre_xy, square.side) == ((3.0, 4.0), 5.0)


def test_bounding_box_holds_all_points() -> None:
    points = RNG.normal(size=(21, 2))
    tight, wide = bounding_box(points), bounding_box(points, margin=0.1)
    assert (points >= tight[:2]).all()
    assert (points <= tight[2:]).all()
    grow = 0.1 * (tight[2:] - tight[:2]).max()
    np.testing.assert_allclose(wide - tight, [-grow, -grow, grow, grow])


@pytest.mark.parametrize("size_hw", [(100, 100), (401, 399), (1080, 1920), (50, 3000), (400, 400)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_tiles_cover_the_picture_and_stay_inside(size_hw: tuple[int, int], overlap: float) -> None:
    tiles = tile_boxes(size_hw, tile=400, overlap=overlap)
    covered = np.zeros(size_hw, bool)
    for x1, y1, x2, y2 in tiles:
        assert 0 <= x1 < x2 <= size_hw[1]
        assert 0 <= y1 < y2 <= size_hw[0]
        covered[y1:y2, x1:x2] = True
    assert covered.all()
    assert (areas(tiles.astype(np.float64)) == min(400, size_hw[0]) * min(400, size_hw[1])).all()
    for axis in (0, 1):
        starts = np.unique(tiles[:, axis])
        assert (np.diff(starts) <= math.ceil(400 * (1 - overlap))).all()


def test_tiles_refuse_nonsense() -> None:
    for tile, overlap in ((0, 0.1), (10, 1.0), (10, -0.1)):
        with pytest.raises(ValueError, match="tile"):
            tile_boxes((10, 10), tile=tile, overlap=overlap)
