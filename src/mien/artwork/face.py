"""Drawn faces.

A face has coordinates of its own: the origin between the eyes, x to the right, y down, the head 1 wide to either
side. The light comes from the upper left.
"""

from __future__ import annotations

import numpy as np

from mien.artwork.canvas import Brush, Colour, Floats, Shape, ellipse, mixed, points, ribbon, smooth
from mien.artwork.cast import Expression, Person

_BLACK: Colour = (28, 20, 20)
_WHITE: Colour = (255, 255, 255)
_EYE_X = 0.42


def paint_head(brush: Brush, person: Person, expression: Expression) -> Shape:
    """Draw ears, head and everything in the face; returns the shape of the head."""
    for side in (-1.0, 1.0):
        _paint_ear(brush, person, side)
    head = brush.fill(head_outline(person, expression), person.skin)
    _shade_head(brush, person, expression, head)
    _paint_nose(brush, person, expression, head)
    for side in (-1.0, 1.0):
        _paint_eye(brush, person, expression, side, head)
        _paint_brow(brush, person, expression, side)
    _paint_folds(brush, person, expression, head)
    _paint_mouth(brush, person, expression, head)
    return head


def head_outline(person: Person, expression: Expression) -> Floats:
    """The outline of head and jaw; an open mouth lowers the chin."""
    drop = 0.17 * expression.open * (0.35 + 0.65 * expression.round)
    jaw, puff = person.jaw, 0.025 * expression.cheeks
    half = [
        (0.0, -1.36), (0.42, -1.29), (0.76, -1.05), (0.93, -0.62), (0.96, -0.12), (0.935 + puff, 0.3),
        (0.86 * jaw + puff, 0.70 + drop * 0.3), (0.63 * jaw, 1.03 + drop * 0.8), (0.33 * jaw, 1.235 + drop),
    ]  # fmt: skip
    chin = [(0.0, 1.28 + drop)]
    return smooth(half + chin + [(-x, y) for x, y in reversed(half[1:])])


def _paint_ear(brush: Brush, person: Person, side: float) -> None:
    ear = smooth(
        [
            (side * x, y)
            for x, y in ((0.90, -0.20), (1.03, -0.24), (1.09, -0.02), (1.02, 0.24), (0.93, 0.32), (0.86, 0.1))
        ]
    )
    shape = brush.fill(ear, mixed(person.skin, person.shade, 0.22 + 0.12 * side))
    brush.fill(ellipse(side * 0.985, 0.03, 0.05, 0.15), person.shade, alpha=0.7, blur=0.03, clip=shape)


def _shade_head(brush: Brush, person: Person, expression: Expression, head: Shape) -> None:
    shade, light = person.shade, person.light
    brush.fill(smooth([(0.62, -1.4), (1.3, -1.2), (1.3, 1.5), (0.05, 1.5), (0.56, 0.75), (0.74, 0.1)]), shade,
               alpha=0.62, blur=0.17, clip=head)  # fmt: skip
    brush.fill(smooth([(-0.9, -1.2), (-1.2, -1.0), (-1.2, 1.2), (-0.55, 1.4), (-0.83, 0.7), (-0.92, 0.0)]), shade,
               alpha=0.42, blur=0.10, clip=head)  # fmt: skip
    brush.fill(smooth([(-1.0, 1.02), (0.0, 1.22), (1.0, 1.02), (0.8, 1.7), (-0.8, 1.7)]), shade,
               alpha=0.4, blur=0.08, clip=head)  # fmt: skip
    brush.fill(ellipse(-0.18, -0.72, 0.45, 0.24), light, alpha=0.55, blur=0.16, clip=head)
    lift = 0.06 * expression.cheeks
    rosy = mixed(person.skin, person.lips, 0.45)
    for side in (-1.0, 1.0):
        brush.fill(ellipse(side * 0.58, 0.42 - lift, 0.24, 0.17), rosy, alpha=0.5, blur=0.10, clip=head)
        brush.fill(ellipse(side * _EYE_X, -0.07, 0.30, 0.17), shade, alpha=0.42, blur=0.08, clip=head)
    brush.fill(
        ellipse(-0.55, 0.29 - lift, 0.2, 0.1), light, alpha=0.45 + 0.25 * expression.cheeks, blur=0.06, clip=head
    )
    brush.fill(
        ellipse(0.46, 0.29 - lift, 0.14, 0.07), light, alpha=0.25 + 0.2 * expression.cheeks, blur=0.06, clip=head
    )


def _paint_nose(brush: Brush, person: Person, expression: Expression, head: Shape) -> None:
    shade, crease = person.shade, person.crease
    up, flare = -0.035 * expression.sneer, 1 + 0.12 * expression.sneer + 0.08 * expression.cheeks
    brush.fill(smooth([(0.09, -0.2), (0.16, 0.0), (0.24, 0.38 + up), (0.12, 0.44 + up), (0.07, 0.2)]), shade,
               alpha=0.55, blur=0.035, clip=head)  # fmt: skip
    brush.fill(smooth([(-0.10, -0.2), (-0.14, 0.05), (-0.21, 0.36 + up), (-0.12, 0.3), (-0.09, 0.0)]), shade,
               alpha=0.3, blur=0.035, clip=head)  # fmt: skip
    brush.line([(-0.01, -0.18), (-0.015, 0.12), (-0.03, 0.3 + up)], (0.06, 0.08, 0.1), person.light,
               alpha=0.55, blur=0.03, clip=head)  # fmt: skip
    brush.fill(ellipse(0.0, 0.485 + up, 0.2 * flare, 0.055), shade, alpha=0.75, blur=0.03, clip=head)
    brush.fill(ellipse(-0.035, 0.345 + up, 0.055, 0.045), person.light, alpha=0.9, blur=0.028, clip=head)
    for side in (-1.0, 1.0):
        wing = [(side * 0.185 * flare, 0.31 + up), (side * 0.235 * flare, 0.40 + up), (side * 0.19 * flare, 0.465 + up)]
        brush.line(wing, (0.012, 0.032, 0.015), crease, alpha=0.6, blur=0.008)
        hole = smooth(
            [(side * x * flare, y + up) for x, y in ((0.05, 0.465), (0.10, 0.435), (0.155, 0.455), (0.11, 0.485))]
        )
        brush.fill(hole, mixed(crease, _BLACK, 0.4), alpha=0.85, blur=0.008)


def _lids(expression: Expression, side: float) -> tuple[Floats, Floats]:
    """The upper and the lower edge of an eye's opening, from the nose outwards: (N, 2) each."""
    t = np.linspace(-1, 1, 17, dtype=np.float32)
    arch = np.clip(1 - np.abs(t) ** 2.2, 0, 1)
    upper = 0.080 * (1 + expression.eyes) * arch
    lower = 0.072 * (1 - 0.85 * expression.squint + 0.35 * max(expression.eyes, 0.0)) * arch
    slant = -0.022 * t + (0.03 * t * max(expression.brow_inner, 0.0) if expression.brow_outer < 0 else 0 * t)
    x = side * (_EYE_X + 0.215 * t)
    base = slant - 0.03 * expression.squint * arch
    return np.stack([x, base - upper], axis=1), np.stack([x, base + lower], axis=1)


def _paint_eye(brush: Brush, person: Person, expression: Expression, side: float, head: Shape) -> None:
    upper, lower = _lids(expression, side)
    opening = brush.fill(np.concatenate([upper, lower[::-1]]), (243, 240, 238))
    brush.fill(ribbon(upper[::4], (0.05, 0.11, 0.05)), (120, 105, 110), alpha=0.5, blur=0.018, clip=opening)
    x, y, r = side * _EYE_X - 0.004, -0.012 - 0.02 * expression.squint + expression.gaze, 0.102
    iris = brush.fill(ellipse(x, y, r, r), mixed(person.iris, _BLACK, 0.55), clip=opening)
    brush.fill(ellipse(x, y, r * 0.84, r * 0.84), person.iris, blur=0.008, clip=iris)
    brush.fill(ellipse(x, y + 0.05, 0.055, 0.03), mixed(person.iris, _WHITE, 0.4), alpha=0.6, blur=0.015, clip=iris)
    brush.fill(ellipse(x, y, 0.048, 0.048), (14, 10, 12), clip=opening)
    brush.fill(ribbon(upper[::4], (0.03, 0.05, 0.03)), _BLACK, alpha=0.5, blur=0.012, clip=opening)
    brush.fill(ellipse(x - 0.035, y - 0.035, 0.024, 0.024), _WHITE, alpha=0.95, clip=opening)
    lash = upper[::2] + np.array([0, -0.006], np.float32)
    lash[-1] += np.array([side * 0.03, -0.015], np.float32)
    brush.line(lash, (0.012, 0.034, 0.04, 0.012), mixed(person.hair, _BLACK, 0.7))
    brush.line(lower[2::2], (0.006, 0.014, 0.012), person.crease, alpha=0.65, blur=0.004)
    lift = 0.06 + 0.03 * max(expression.eyes, 0.0)
    fold = upper[2:-1:2] * np.array([1.0, 1.0], np.float32) - np.array([0, lift], np.float32)
    brush.line(fold, (0.008, 0.02, 0.01), person.crease, alpha=0.55, blur=0.006)
    bag = lower[2:-2:3] + np.array([0, 0.05], np.float32)
    brush.line(bag, (0.01, 0.03, 0.01), person.crease, alpha=0.12 + 0.4 * expression.squint, blur=0.012, clip=head)


def _paint_brow(brush: Brush, person: Person, expression: Expression, side: float) -> None:
    inner, outer = 0.14 * expression.brow_inner, 0.13 * expression.brow_outer
    squeeze = 0.06 * expression.furrow
    middle = (inner + outer) / 2 + 0.02 * max(expression.brow_inner, 0.0)
    path = [
        (side * (0.19 - squeeze), -0.212 - inner),
        (side * (0.36 - squeeze * 0.6), -0.272 - (inner * 0.55 + middle * 0.45)),
        (side * 0.54, -0.282 - (middle * 0.4 + outer * 0.6)),
        (side * 0.69, -0.198 - outer),
    ]
    colour = mixed(person.hair, _BLACK, 0.35)
    brush.line(path, (0.085, 0.105, 0.075, 0.012), colour, alpha=0.55, blur=0.014)
    brush.line(path, (0.055, 0.085, 0.058, 0.008), colour, alpha=0.8, blur=0.006)


def _paint_folds(brush: Brush, person: Person, expression: Expression, head: Shape) -> None:
    crease, light = person.crease, person.light
    depth = 0.10 + 0.36 * expression.cheeks + 0.4 * expression.sneer + 0.2 * max(-expression.corners, 0.0)
    out = 0.10 * expression.wide + 0.05 * expression.cheeks
    for side in (-1.0, 1.0):
        fold = [(side * 0.26, 0.39), (side * (0.43 + out), 0.50), (side * (0.53 + out), 0.74)]
        brush.line(fold, (0.02, 0.055, 0.01), crease, alpha=min(depth, 0.8), blur=0.024, clip=head)
        cheek = [(side * (x + 0.06), y - 0.03) for x, y in ((0.30, 0.36), (0.44 + out, 0.47), (0.52 + out, 0.66))]
        brush.line(cheek, (0.02, 0.08, 0.02), light, alpha=0.5 * expression.cheeks, blur=0.03, clip=head)
        if expression.furrow > 0:
            line = [(side * 0.055 + 0.01, -0.43), (side * 0.06, -0.32), (side * 0.085, -0.21)]
            brush.line(line, (0.006, 0.026, 0.008), crease, alpha=0.7 * expression.furrow, blur=0.014)
    worry = max(min((expression.brow_inner - 0.4) * 1.3, 1.0), 0.0)
    for y, reach in ((-0.62, 0.42), (-0.73, 0.48), (-0.84, 0.36)):
        line = [(-reach, y + 0.02), (-reach / 2, y - 0.02), (0, y), (reach / 2, y - 0.02), (reach, y + 0.02)]
        brush.line(line, (0.004, 0.02, 0.02, 0.004), crease, alpha=0.42 * worry, blur=0.01, clip=head)


def _lip_lines(expression: Expression) -> tuple[Floats, Floats, Floats, Floats]:
    """Outer and inner edge of the upper lip, inner and outer edge of the lower lip: (N, 2) each, left to right."""
    e = expression
    t = np.linspace(-1, 1, 33, dtype=np.float32)
    x = 0.35 * (1 + e.wide) * t
    gap = 0.36 * e.open
    corner = 0.765 - 0.155 * e.corners + 0.38 * gap * e.round
    top = 0.77 - 0.02 * e.corners - 0.05 * e.sneer - 0.12 * gap * e.round
    bottom = top + gap
    bow = 1 - np.abs(t) ** (2.0 + 0.5 * e.round)
    oval = np.sqrt(np.clip(1 - t * t, 0, 1))
    arch = bow * (1 - 0.7 * e.round) + oval * 0.7 * e.round
    inner_up = corner + (top - corner) * arch + 0.012 * np.cos(3 * np.pi * t) * (1 - np.abs(t)) * (1 - e.open)
    sag = (bow * 0.55 + oval * 0.45) * (1 - e.round) + oval * e.round
    inner_down = np.maximum(corner + (bottom - corner) * sag, inner_up)
    taper = np.clip(1 - np.abs(t) ** 2.4, 0, 1)
    thin = 1 - 0.28 * e.cheeks - 0.25 * e.sneer
    dip = 1 - 0.28 * np.exp(-((t / 0.14) ** 2))
    outer_up = inner_up - 0.082 * thin * taper * dip
    outer_down = inner_down + 0.118 * (1 - 0.2 * e.cheeks) * taper
    return tuple(np.stack([x, y], axis=1).astype(np.float32) for y in (outer_up, inner_up, inner_down, outer_down))  # type: ignore[return-value]


def _paint_mouth(brush: Brush, person: Person, expression: Expression, head: Shape) -> None:
    outer_up, inner_up, inner_down, outer_down = _lip_lines(expression)
    low = float(outer_down[16, 1])
    brush.fill(ellipse(0.02, low + 0.055, 0.2, 0.045), person.shade, alpha=0.6, blur=0.03, clip=head)
    brush.fill(ellipse(-0.03, low + 0.19, 0.16, 0.08), person.light, alpha=0.35, blur=0.05, clip=head)
    upper = brush.fill(np.concatenate([outer_up, inner_up[::-1]]), mixed(person.lips, person.shade, 0.4), blur=0.006)
    lower = brush.fill(np.concatenate([inner_down, outer_down[::-1]]), person.lips, blur=0.006)
    brush.line(outer_up[4:-4:6], (0.01, 0.02, 0.01), person.shade, alpha=0.3, blur=0.01, clip=upper)
    shine = (inner_down[8:25:4] * 0.5 + outer_down[8:25:4] * 0.5).astype(np.float32)
    brush.line(shine, (0.004, 0.04, 0.004), mixed(person.lips, _WHITE, 0.55), alpha=0.5, blur=0.012, clip=lower)
    if expression.open > 0.02:
        _paint_inside(brush, expression, inner_up, inner_down)
    brush.line(
        inner_up[::4], (0.012, 0.026, 0.022, 0.026, 0.012), mixed(person.crease, _BLACK, 0.35), alpha=0.9, blur=0.004
    )
    for side, end in ((-1.0, inner_up[0]), (1.0, inner_up[-1])):
        brush.fill(
            ellipse(float(end[0]) + side * 0.012, float(end[1]), 0.03, 0.026), person.crease, alpha=0.6, blur=0.016
        )


def _paint_inside(brush: Brush, expression: Expression, inner_up: Floats, inner_down: Floats) -> None:
    inside = brush.fill(np.concatenate([inner_up, inner_down[::-1]]), (64, 18, 24))
    middle, bottom = inner_up[16], float(inner_down[16, 1])
    depth = bottom - float(middle[1])
    brush.fill(ellipse(0.0, bottom + 0.01, 0.2, 0.4 * depth), (186, 84, 88), alpha=0.75, blur=0.02, clip=inside)
    if expression.teeth > 0:
        height = min(0.155, 0.9 * depth) * expression.teeth
        row = np.concatenate([inner_up, inner_up[::-1] + points((0, height))])
        teeth = brush.fill(row, (250, 247, 240), blur=0.004, clip=inside)
        _part_teeth(brush, teeth, float(middle[1]) + height / 2, height)
    if expression.lower_teeth > 0:
        height = min(0.10, 0.42 * depth) * expression.lower_teeth
        row = np.concatenate([inner_down, inner_down[::-1] - points((0, height))])
        teeth = brush.fill(row, (238, 233, 224), blur=0.004, clip=inside)
        _part_teeth(brush, teeth, bottom - height / 2, height)
    brush.fill(ribbon(inner_up[::4], (0.02, 0.05, 0.02)), (60, 20, 26), alpha=0.35, blur=0.016, clip=inside)


def _part_teeth(brush: Brush, teeth: Shape, y: float, height: float) -> None:
    for i in range(-4, 5):
        x = 0.085 * i * (1 - 0.03 * abs(i))
        brush.line([(x, y - height), (x, y), (x, y + height)], (0.006, 0.006), (170, 150, 145), alpha=0.26, clip=teeth)
