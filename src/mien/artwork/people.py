"""Drawn people: hair, clothes, and the raised hands of a few of them."""

from __future__ import annotations

import math

import numpy as np

from mien.artwork.canvas import Brush, Colour, Shape, ellipse, mixed, points, smooth
from mien.artwork.cast import Expression, Person
from mien.artwork.face import paint_head

_BLACK: Colour = (24, 18, 20)

# Hair as seen from the front: up one side, over the head, down the other, and back along the face.
_OUTLINES = {
    "short": (
        *((-1.02, -0.12), (-1.05, -0.6), (-0.92, -1.12), (-0.5, -1.5), (0.05, -1.6), (0.6, -1.47), (0.96, -1.1)),
        *((1.05, -0.6), (1.02, -0.12), (0.93, -0.2), (0.89, -0.52), (0.76, -0.78), (0.4, -0.93), (0.0, -0.90)),
        *((-0.45, -0.98), (-0.74, -0.80), (-0.88, -0.52), (-0.93, -0.2)),
    ),
    "bob": (
        *((-0.98, 0.9), (-1.18, 0.2), (-1.16, -0.6), (-0.9, -1.25), (-0.4, -1.62), (0.15, -1.66), (0.7, -1.48)),
        *((1.06, -1.0), (1.18, -0.4), (1.18, 0.3), (0.98, 0.9), (0.90, 0.3), (0.90, -0.2), (0.80, -0.62)),
        *((0.56, -0.95), (0.30, -1.18), (-0.05, -0.95), (-0.5, -0.76), (-0.80, -0.45), (-0.90, 0.0), (-0.90, 0.4)),
    ),
}


def paint_person(brush: Brush, person: Person, expression: Expression) -> None:
    _paint_hair_behind(brush, person)
    _paint_shoulders(brush, person)
    head = paint_head(brush, person, expression)
    _paint_hair(brush, person, head)


def _paint_shoulders(brush: Brush, person: Person) -> None:
    body = smooth([(-0.52, 1.62), (0, 1.9), (0.52, 1.62), (1.2, 1.86), (1.72, 2.2), (1.95, 3.0), (2.1, 5.0), (0, 5.4),
                   (-2.1, 5.0), (-1.95, 3.0), (-1.72, 2.2), (-1.2, 1.86)])  # fmt: skip
    clothes = brush.fill(body, person.clothes)
    dark, pale = mixed(person.clothes, (20, 20, 40), 0.45), mixed(person.clothes, (255, 255, 255), 0.35)
    brush.fill(
        smooth([(0.9, 1.6), (2.4, 1.8), (2.4, 5.5), (1.0, 5.5), (1.2, 3.0)]), dark, alpha=0.55, blur=0.28, clip=clothes
    )
    brush.fill(ellipse(-1.15, 2.2, 0.5, 0.22), pale, alpha=0.5, blur=0.18, clip=clothes)
    for side in (-1.0, 1.0):
        brush.line(
            [(side * 1.38, 2.75), (side * 1.30, 3.5), (side * 1.36, 5.0)],
            (0.01, 0.06, 0.05),
            dark,
            alpha=0.7,
            blur=0.03,
            clip=clothes,
        )
    neck = smooth(
        [
            (-0.53, 0.7),
            (0.53, 0.7),
            (0.50, 1.35),
            (0.62, 1.66),
            (0.30, 1.86),
            (0, 1.93),
            (-0.30, 1.86),
            (-0.62, 1.66),
            (-0.50, 1.35),
        ]
    )
    brush.fill(neck + points((0.0, 0.05)), dark, alpha=0.5, blur=0.03, clip=clothes)
    shape = brush.fill(neck, mixed(person.skin, person.shade, 0.12))
    brush.fill(ellipse(0.06, 1.12, 0.75, 0.42), person.shade, alpha=0.85, blur=0.10, clip=shape)
    brush.fill(smooth([(0.2, 1.2), (0.7, 1.2), (0.7, 2.0), (0.3, 2.0)]), person.shade, alpha=0.5, blur=0.1, clip=shape)


def _paint_hair_behind(brush: Brush, person: Person) -> None:
    dark = mixed(person.hair, _BLACK, 0.45)
    if person.style == "bob":
        half = [(0.5, -1.62), (1.05, -1.2), (1.24, -0.4), (1.26, 0.5), (1.16, 1.2), (0.95, 1.42), (0.6, 1.3)]
        brush.fill(smooth([(0, -1.7), *half, *((-x, y) for x, y in reversed(half))]), dark)
    elif person.style == "curls":
        _paint_curls(brush, dark, 44, 1.10, 0.30, seed=3, low=0.62)


def _paint_curls(brush: Brush, colour: Colour, count: int, reach: float, size: float, *, seed: int, low: float) -> None:
    """Locks on an arc over the head, from one side at height `low` to the other."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        turn = math.pi * (-0.5 + (i / (count - 1) - 0.5) * (1 + low))
        r = reach + rng.uniform(-0.07, 0.10)
        x, y = r * math.cos(turn) * 1.02, r * 1.16 * math.sin(turn) - 0.18
        s = size * rng.uniform(0.75, 1.1)
        tone = mixed(colour, (255, 214, 170), max(0.0, rng.uniform(-0.05, 0.16) - 0.06 * x))
        lock = brush.fill(ellipse(x, y, s, s * 0.9), tone)
        brush.fill(ellipse(x + 0.1 * s, y + 0.5 * s, s * 0.9, s * 0.6), _BLACK, alpha=0.28, blur=0.07, clip=lock)
        brush.fill(
            ellipse(x - 0.25 * s, y - 0.4 * s, s * 0.4, s * 0.25), (255, 220, 180), alpha=0.16, blur=0.05, clip=lock
        )


def _paint_hair(brush: Brush, person: Person, head: Shape) -> None:
    if person.style == "curls":
        brush.fill(
            smooth(
                [
                    (-1.0, -0.5),
                    (-0.86, -0.72),
                    (-0.5, -0.95),
                    (0, -1.02),
                    (0.5, -0.95),
                    (0.86, -0.72),
                    (1.0, -0.5),
                    (1.0, -1.5),
                    (-1.0, -1.5),
                ]
            ),
            mixed(person.hair, _BLACK, 0.3),
            clip=head,
            blur=0.02,
        )
        _paint_curls(brush, person.hair, 30, 1.10, 0.26, seed=8, low=0.22)
        _paint_curls(brush, person.hair, 22, 0.97, 0.2, seed=5, low=-0.12)
        return
    outline = smooth(_OUTLINES[person.style])
    brush.fill(outline + points((0.03, 0.06)), person.crease, alpha=0.5, blur=0.045, clip=head)
    hair = brush.fill(outline, person.hair)
    _shine(brush, person, hair)


def _shine(brush: Brush, person: Person, hair: Shape) -> None:
    dark, pale = mixed(person.hair, _BLACK, 0.6), mixed(person.hair, (255, 226, 190), 0.4)
    brush.fill(
        smooth([(0.4, -1.8), (1.4, -1.6), (1.4, 1.0), (0.86, 1.0), (0.95, -0.5)]), dark, alpha=0.6, blur=0.16, clip=hair
    )
    brush.line(
        [(-0.95, -0.75), (-0.62, -1.18), (-0.1, -1.36), (0.35, -1.30)],
        (0.05, 0.17, 0.14, 0.02),
        pale,
        alpha=0.55,
        blur=0.07,
        clip=hair,
    )
    for i in range(9):
        x = -0.95 + 0.23 * i
        strand = [(x * 0.4 + 0.05, -1.62), (x * 0.9, -1.32), (x * 1.12, -0.7)]
        brush.line(strand, (0.006, 0.022, 0.004), dark if i % 2 else pale, alpha=0.28, blur=0.01, clip=hair)
