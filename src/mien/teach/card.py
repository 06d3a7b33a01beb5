"""The card of a model of taught gestures."""

from __future__ import annotations

from collections.abc import Sequence

from mien.models.manifest import Manifest
from mien.teach.fit import Fitted
from mien.teach.takes import Take
from mien.wording import count, markdown_table


def card_text(manifest: Manifest, base: Manifest, takes: Sequence[Take], fitted: Fitted) -> str:
    """The card, Markdown.

    Args:
        manifest: of the model.
        base: of the package's network in it.
        takes: what it was taught from.
        fitted: estimates.
    """
    rows = [
        [
            label,
            str(estimate.takes),
            str(estimate.examples),
            f"{100 * estimate.right:.0f} %",
            f"{100 * estimate.sure:.0f} %",
            estimate.mistaken_for,
        ]
        for label, estimate in fitted.estimates.items()
    ]
    table = markdown_table(["gesture", "takes", "examples", "read right", "surely", "mostly mistaken for"], rows)
    days = sorted({take.day for take in takes})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    sections = {
        "Model details": f"- Reads the gesture of one hand as one of: {', '.join(manifest.labels or ())}.\n"
        f"- The network {base.title} of mien, unchanged, with a small head for each taught gesture, fitted by `mien "
        f"teach` on {when}.\n- Fed with 21 hand landmarks and the direction of the picture's top.\n"
        f"- Licence: {manifest.licence}. It covers the network and the bank of hands that the heads were fitted "
        "against; whoever passes this folder on keeps these conditions.",
        "Training data": f"{count(len(takes), 'take')} of your own, kept in this folder as landmarks without pictures "
        "(`takes.npz`), and the bank of hands in the package.",
        "How well it reads": f"{table}\nA gesture with several takes was measured on each take by heads fitted on "
        "the others; one with a single take on fifths of that take, which promises too much. Of "
        f"{count(fitted.known_hands, 'hand')} of the bank that show known gestures, {100 * fitted.known_after:.1f} % "
        f"are read right, {100 * fitted.known_before:.1f} % without the taught gestures; of its hands that show none, "
        f"{100 * fitted.mistaken:.1f} % are read as a taught gesture.",
        "Caveats and recommendations": "The estimates are about the people and places that were shown. A gesture means "
        "the same however it is turned in the picture. Landmarks are no picture, but they are of somebody's hand: ask "
        "before you pass them on.",
    }
    return f"# {manifest.name}\n\n" + "\n".join(f"## {name}\n{text.rstrip()}\n" for name, text in sections.items())
