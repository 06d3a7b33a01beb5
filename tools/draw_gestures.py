"""Draw the pictures of docs/gestures.md, one for each gesture: python tools/draw_gestures.py"""

from __future__ import annotations

from pathlib import Path

from mien.artwork.drawings import draw_hand
from mien.artwork.hand import POSES
from mien.labels import GESTURES
from mien.pixels.images import write_image

FOLDER = Path(__file__).parent.parent / "docs/images/gestures"
SIDE = 160
PEOPLE = ("ada", "ben", "chen", "dia")


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number, gesture in enumerate(name for name in GESTURES.labels if name in POSES):
        write_image(FOLDER / f"{gesture}.jpg", draw_hand(gesture, person=PEOPLE[number % len(PEOPLE)], size=SIDE))


if __name__ == "__main__":
    main()
