"""A report as one self-contained HTML page, with its pictures also saved as PNG files next to it."""

from __future__ import annotations

import base64
import html
import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.files.targets import is_stream
from mien.files.whole import write_whole
from mien.outputs.lettering.fonts import drawable, family_of, font_for
from mien.wording import as_text
from mien.words import words

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 70rem; margin: 2rem auto;
       padding: 0 1rem; overflow-wrap: anywhere; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 2px solid #1a1a1a; }
.about { color: #444; } .note { border-left: 6px solid #1a1a1a; background: #f2f2f2; padding: .6rem 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; display: block;
        overflow-x: auto; }
caption { text-align: left; white-space: nowrap; font-weight: 600; padding-bottom: .3rem; }
th, td { border: 1px solid #999; padding: .25rem .6rem; text-align: right; overflow-wrap: normal;
         word-break: keep-all; }
th:first-child, td:first-child { text-align: left; } thead th { background: #eee; }
figure { margin: 1.5rem 0; break-inside: avoid; } figure svg, figure img { max-width: 100%; height: auto; }
figcaption { color: #444; } nav ul { columns: 2; column-gap: 2.5rem; }
@media print { body { margin: 0; max-width: none; } nav { display: none; } }
""".strip()


class Page:
    """Collects headings, text, tables and figures; `save` writes them.

    The page has no scripts and loads nothing: vector figures are inline SVG, photographs inline PNG.

    Args:
        title: heading of the page.
        about: one sentence under it.
        language: in which it is written.
    """

    def __init__(self, title: str, *, about: str = "", language: str = "en") -> None:
        self.title = title
        self.about = about
        self._words = words(language)
        self._body: list[str] = []
        self._headings: list[str] = []
        self._pictures: dict[str, bytes] = {}

    def heading(self, text: str) -> None:
        """Start a section."""
        self._headings.append(text)
        self._body.append(f'<h2 id="s{len(self._headings)}">{html.escape(text)}</h2>')

    def paragraph(self, text: str) -> None:
        """Plain text."""
        self._body.append(f"<p>{html.escape(text)}</p>")

    def note(self, text: str) -> None:
        """Text that readers must not miss: a caveat, a warning."""
        self._body.append(
            f'<p class="note"><strong>{self._words.say("page_file.note")}</strong> {html.escape(text)}</p>'
        )

    def bullets(self, texts: Sequence[str]) -> None:
        """A list of plain text; nothing for an empty list."""
        if texts:
            self._body.append(f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str = "") -> None:
        """A table; the first column names the rows."""
        head = "".join(f'<th scope="col">{html.escape(str(cell))}</th>' for cell in header)
        lines = []
        for first, *rest in rows:
            cells = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in rest)
            lines.append(f'<tr><th scope="row">{html.escape(str(first))}</th>{cells}</tr>')
        title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
        body = "\n".join(lines)
        self._body.append(f"<table>{title}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>")

    def figure(self, figure: Figure, *, name: str, caption: str) -> None:
        """A matplotlib figure, as SVG in the page and as `<name>.png` next to it.

        Args:
            figure: the drawn figure; it is not closed.
            name: of the PNG, unique within the page, without a suffix.
            caption: what it shows, in words; screen readers read it instead of the picture.
        """
        import matplotlib as mpl

        svg, png = io.StringIO(), io.BytesIO()
        # Ids are random unless salted: equal figures give equal files.
        with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}), any_script():
            unwritable = _with_fonts(figure)
            figure.savefig(svg, format="svg", bbox_inches="tight", metadata={"Date": None})
            if unwritable:
                _in_ascii(figure, unwritable)
            figure.savefig(png, format="png", bbox_inches="tight", dpi=130)
        self._keep(name, png.getvalue())
        self._add_figure(_inline(svg.getvalue(), name, caption), caption)

    def picture(self, image: NDArray[np.uint8], *, name: str, caption: str) -> None:
        """A photograph or a grid of them: (H, W) grey or (H, W, 3) RGB uint8; also kept as `<name>.png`."""
        from mien.pixels.images import encode_image

        rgb = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
        png = encode_image(rgb, ".png")
        data = base64.b64encode(png).decode("ascii")
        self._keep(name, png)
        self._add_figure(f'<img src="data:image/png;base64,{data}" alt="{html.escape(caption)}">', caption)

    def extend(self, other: Page) -> None:
        """Add everything on another page except its title and the sentence under it."""
        for name, png in other._pictures.items():
            self._keep(name, png)
        before = len(self._headings)
        self._headings += other._headings
        self._body += [
            re.sub(r'^<h2 id="s(\d+)">', lambda found: f'<h2 id="s{before + int(found[1])}">', part)
            for part in other._body
        ]

    def html(self) -> str:
        """The whole page."""
        links = "".join(f'<li><a href="#s{i}">{html.escape(h)}</a></li>' for i, h in enumerate(self._headings, 1))
        aria = html.escape(self._words.say("page_file.contents"))
        contents = f'<nav aria-label="{aria}"><ul>{links}</ul></nav>' if len(self._headings) > 1 else ""
        about = f'<p class="about">{html.escape(self.about)}</p>' if self.about else ""
        body = "\n".join(self._body)
        return (
            f'<!DOCTYPE html>\n<html lang="{self._words.language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self.title)}</title>\n<style>\n{_STYLE}\n</style></head>\n"
            f"<body>\n<h1>{html.escape(self.title)}</h1>{about}\n{contents}\n{body}\n</body></html>\n"
        )

    @staticmethod
    def figures_folder(path: str | Path) -> Path:
        """Where `save` puts the pictures of a page with that path."""
        return Path(path).with_name(f"{Path(path).stem}_files")

    def save(self, path: str | Path) -> None:
        """Write the page, and its pictures into the folder `<page's name>_files` next to it; a page that goes to a
        device, a pipe or stdout has no such folder, only the figures inside it.

        Raises:
            OutputError: a file cannot be written.
        """
        path = Path(path)
        if not is_stream(path):
            for name, png in self._pictures.items():
                write_whole(self.figures_folder(path) / f"{name}.png", png)
        write_whole(path, as_text(self.html()).encode())

    def _keep(self, name: str, png: bytes) -> None:
        if name in self._pictures:
            raise ValueError(f"the page already has a picture named {name!r}; each needs its own name")
        self._pictures[name] = png

    def _add_figure(self, content: str, caption: str) -> None:
        self._body.append(f"<figure>{content}<figcaption>{html.escape(caption)}</figcaption></figure>")


@contextmanager
def any_script() -> Iterator[None]:
    """Allows names in scripts that matplotlib's font lacks, without a warning for each letter.

    In the page they are text, for which the browser has letters; `Page.figure` sees to the PNG.
    """
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    log.setLevel(logging.ERROR)  # a font of the system may have no bold letters: no news
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
            yield
    finally:
        log.setLevel(before)


def _with_fonts(figure: Figure) -> list[Text]:
    """Gives each text of a figure with letters that matplotlib's own font lacks a font of the system as well; returns
    those for which there is none."""
    from matplotlib import font_manager
    from matplotlib.text import Text

    own = font_manager.get_font(font_manager.findfont("DejaVu Sans", fallback_to_default=False))
    unwritable = []
    for text in figure.findobj(Text):
        letters = {letter for letter in text.get_text() if not letter.isascii()} if isinstance(text, Text) else set()
        lacking = "".join(sorted(letter for letter in letters if not own.get_char_index(ord(letter))))
        if lacking and isinstance(text, Text):
            face = font_for(lacking)
            if face is None:
                unwritable.append(text)
                continue
            if all(entry.fname != face.path for entry in font_manager.fontManager.ttflist):
                font_manager.fontManager.addfont(face.path)
            text.set_fontfamily([*text.get_fontfamily(), family_of(face)])
    return unwritable


def _in_ascii(figure: Figure, texts: Sequence[Text]) -> None:
    """Replaces letters that no font has, those at ticks too, which are made anew whenever a figure is drawn."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if any(drawable(label) != label for label in labels):
                axis.set_ticks(axis.get_ticklocs(), labels=[drawable(label) for label in labels])
    for text in texts:
        text.set_text(drawable(text.get_text()))


def _inline(svg: str, name: str, caption: str) -> str:
    """A matplotlib SVG as part of a page: one picture for screen readers, with its own ids and styles.

    Every matplotlib figure names its parts `figure_1`, `axes_1` and so on, and styles all elements on the page.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>\*\{(.*?)\}</style>", "", svg, flags=re.DOTALL)
    prefix = f"{html.escape(name)}-"
    svg = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{prefix}", svg)
    about = f'role="img" aria-label="{html.escape(caption)}" style="stroke-linejoin: round; stroke-linecap: butt"'
    return svg.replace("<svg", f"<svg {about}", 1)
