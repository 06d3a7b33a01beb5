"""Who is drawn and how they look: people as colours and hair, expressions as what the muscles of the face do."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mien.artwork.canvas import Colour, mixed

_BLACK: Colour = (28, 20, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """What the muscles do, 0 at rest.

    Args:
        brow_inner: raise of the inner ends of the brows; negative lowers them.
        brow_outer: raise of the outer ends.
        furrow: how far the brows are drawn together.
        eyes: opening of the upper lids; negative closes.
        squint: raise of the lower lids.
        corners: raise of the corners of the mouth; negative lowers them.
        open: how far the mouth is open.
        round: how far an open mouth is an O rather than a smile.
        wide: how much wider the mouth is.
        teeth: how much of the upper teeth is seen in an open mouth.
        lower_teeth: likewise for the lower teeth.
        cheeks: raise of the cheeks, with the folds beside the mouth.
        sneer: raise of the upper lip and nostrils.
        gaze: how far the eyes look down, as a length.
    """

    brow_inner: float = 0.0
    brow_outer: float = 0.0
    furrow: float = 0.0
    eyes: float = 0.0
    squint: float = 0.0
    corners: float = 0.0
    open: float = 0.0
    round: float = 0.0
    wide: float = 0.0
    teeth: float = 0.0
    lower_teeth: float = 0.0
    cheeks: float = 0.0
    sneer: float = 0.0
    gaze: float = 0.0

    def towards(self, other: Expression, share: float) -> Expression:
        """The expression on the way to another one: 0 is this one, 1 the other."""
        names = [f.name for f in fields(self)]
        return Expression(**{n: getattr(self, n) + (getattr(other, n) - getattr(self, n)) * share for n in names})


EXPRESSIONS: dict[str, Expression] = {
    "neutral": Expression(),
    "happy": Expression(
        brow_inner=0.3, brow_outer=0.35, eyes=0.05, squint=0.6, corners=1.0, open=0.5, wide=0.32, teeth=1.0, cheeks=1.0
    ),
    "surprise": Expression(brow_inner=1.3, brow_outer=1.25, eyes=1.2, open=1.0, round=1.0, wide=-0.28),
    "sad": Expression(
        brow_inner=0.55, brow_outer=-0.1, furrow=0.15, eyes=-0.5, squint=0.4, corners=-1.2, wide=0.18, cheeks=0.15
    ),
    "angry": Expression(
        brow_inner=-0.95, brow_outer=0.4, furrow=1.0, eyes=-0.1, squint=0.6, corners=-0.6, open=0.5, round=0.4,
        wide=0.16, teeth=1.0, lower_teeth=0.8, sneer=1.1,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """How somebody is drawn.

    Args:
        skin: the colour in even light.
        shade: what shadows on the skin tend to.
        lips: the colour of the lips.
        hair: the colour of the hair.
        iris: the colour of the eyes.
        clothes: the colour of the clothes.
        style: `short`, `bob` or `curls`.
        jaw: width of the lower face, about 1.
    """

    skin: Colour
    shade: Colour
    lips: Colour
    hair: Colour
    iris: Colour
    clothes: Colour
    style: str = "short"
    jaw: float = 1.0

    @property
    def light(self) -> Colour:
        """What highlights on the skin tend to."""
        return mixed(self.skin, (255, 244, 226), 0.55)

    @property
    def palm(self) -> Colour:
        """The colour of the inside of the hands."""
        return mixed(self.skin, (238, 190, 162), 0.3)

    @property
    def crease(self) -> Colour:
        """The colour of fine lines in the skin."""
        return mixed(self.shade, _BLACK, 0.35)


PEOPLE: dict[str, Person] = {
    "ada": Person(skin=(238, 193, 164), shade=(172, 104, 84), lips=(201, 100, 96), hair=(96, 52, 34),
                  iris=(92, 128, 88), clothes=(62, 118, 140), style="bob", jaw=0.94),
    "ben": Person(skin=(146, 96, 68), shade=(84, 46, 34), lips=(150, 78, 72), hair=(34, 26, 26),
                  iris=(74, 46, 30), clothes=(226, 160, 62), style="short", jaw=1.03),
    "chen": Person(skin=(228, 184, 146), shade=(160, 100, 74), lips=(190, 98, 88), hair=(30, 28, 34),
                  iris=(62, 40, 30), clothes=(190, 84, 84), style="short", jaw=1.0),
    "dia": Person(skin=(196, 138, 100), shade=(122, 70, 50), lips=(170, 74, 74), hair=(46, 28, 24),
                  iris=(80, 52, 34), clothes=(108, 92, 160), style="curls", jaw=0.96),
}  # fmt: skip
