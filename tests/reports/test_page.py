from __future__ import annotations

import base64
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mien.errors import OutputError
from mien.outputs.lettering.fonts import family_of, font_for
from mien.pixels.images import decode_image, read_image
from mien.reports.page import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VOID = {"meta", "img", "br", "hr", "link"}

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Checker(HTMLParser):
    """Tags that open must close, ids are there once, links within the page lead somewhere, nothing is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self._attributes(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._attributes(tag, attrs)

    def _attributes(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href") and value is not None:
                (self.links if value.startswith("#") else self.loaded).append(value)
            self.links += [f"#{target}" for target in re.findall(r"url\(#([^)]*)\)", value or "")]
            assert not name.startswith("on")
        assert tag != "script"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_names_that_are_no_text_can_be_written(tmp_path: Path) -> None:
    page = Page("gl\udcfc")
    page.save(tmp_path / "page.html")
    assert "gl\\udcfc" in (tmp_path / "page.html").read_text("utf-8")


def bars(*names: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.bar(names, range(1, len(names) + 1))
    axes.set_title(names[0])
    return figure


def drawn(tmp_path: Path, *names: str) -> tuple[str, bytes]:
    """The page and the PNG of a figure."""
    page = Page("names")
    page.figure(bars(*names), name="bars", caption="bars")
    page.save(tmp_path / "page.html")
    return page.html(), (tmp_path / "page_files" / "bars.png").read_bytes()


def test_chinese_in_a_figure_without_a_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser of whoever reads the page may have one; the PNG has dots, no boxes, at its ticks too."""
    monkeypatch.setenv("MIEN_FONTS", str(tmp_path))
    page, png = drawn(tmp_path, "1高兴", "2猫")
    assert "高兴" in page
    assert png == drawn(tmp_path, "1...", "2...")[1]


def test_chinese_in_a_figure_with_a_font(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("MIEN_FONTS", raising=False)
    face = font_for("高兴")
    if face is None:
        pytest.skip("no font here has Chinese characters: install fonts-noto-cjk")
    page, png = drawn(tmp_path, "1高兴", "2猫")
    assert family_of(face) in page
    assert png != drawn(tmp_path, "1猫兴", "2猫")[1], "two boxes would be alike"
    assert caplog.records == []


def test_marks_of_matplotlibs_font_stand_beside_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly any Chinese font has them: the two fonts share the work."""
    monkeypatch.delenv("MIEN_FONTS", raising=False)
    if font_for("高兴") is None:
        pytest.skip("no font here has Chinese characters: install fonts-noto-cjk")
    png = drawn(tmp_path, "✗ 高兴", "2猫")[1]
    assert png != drawn(tmp_path, "... ...", "2猫")[1]
    assert png != drawn(tmp_path, "✗ ...", "2猫")[1]
    monkeypatch.setenv("MIEN_FONTS", str(tmp_path))
    assert "Noto" not in drawn(tmp_path, "✗ happy", "✓ sad")[0]


def checked(page: Page) -> Checker:
    checker = Checker()
    checker.feed(page.html())
    checker.close()
    assert checker.open == []
    assert len(set(checker.ids)) == len(checker.ids)
    assert {link[1:] for link in checker.links} <= set(checker.ids)
    assert all(loaded.startswith("data:image/png;base64,") for loaded in checker.loaded)
    return checker


def line_figure(title: str = "a title"):  # type: ignore[no-untyped-def]
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 2))
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], marker="o")
    axes.imshow(np.eye(4), interpolation="none")
    axes.set_title(title)
    return figure


def full_page() -> Page:
    page = Page("Title", about="ModelInfo it.")
    page.heading("First")
    page.paragraph("Words.")
    page.note("Mind this.")
    page.bullets(["one", "two"])
    page.table(("name", "n"), [("a", 1), ("b", 2)], caption="Numbers")
    page.heading("Second")
    page.figure(line_figure(), name="one", caption="First figure.")
    page.figure(line_figure(), name="two", caption="Second figure.")
    page.picture(np.full((4, 5, 3), 200, np.uint8), name="three", caption="A picture.")
    return page


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    text = " ".join(checked(full_page()).text)
    for words in ("Title", "ModelInfo it.", "Words.", "Mind this.", "one", "Numbers", "First figure.", "a title"):
        assert words in text
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", full_page().html())


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '" onload="x', "a & b < c", "'single'", "開心 ä"])
def test_words_stay_words(text: str) -> None:
    page = Page(text, about=text)
    page.heading(text)
    page.heading(f"{text} again")
    page.paragraph(text)
    page.note(text)
    page.bullets([text])
    page.table((text, text), [(text, text)], caption=text)
    page.picture(np.zeros((2, 2), np.uint8), name="picture", caption=text)
    page.figure(line_figure(), name="figure", caption=text)
    assert "".join(checked(page).text).count(text) >= 10


def test_a_name_in_another_script_draws_without_complaint() -> None:
    page = Page("x")
    page.figure(line_figure("開心"), name="figure", caption="x")
    assert "開心" in page.html()


def test_figures_are_told_in_words() -> None:
    page = full_page().html()
    assert page.count('role="img"') == 2
    for caption in ("First figure.", "Second figure."):
        assert f'aria-label="{caption}"' in page
        assert f"<figcaption>{caption}</figcaption>" in page
    assert 'alt="A picture."' in page


def test_a_figure_styles_nothing_but_itself() -> None:
    assert full_page().html().count("<style") == 1


def test_inline_figures_are_xml() -> None:
    for svg in re.findall(r"<svg.*?</svg>", full_page().html(), re.DOTALL):
        ET.fromstring(svg)  # noqa: S314


def test_the_same_figures_give_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        full_page().save(tmp_path / name / "page.html")
    first, second = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*.*")
            if path.is_file()
        }
        for name in ("a", "b")
    )
    assert first == second
    assert {str(path) for path in first} == {
        "page.html", "page_files/one.png", "page_files/two.png", "page_files/three.png",
    }  # fmt: skip


def test_pictures_are_kept_as_they_are(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    colour, grey = random.integers(0, 256, (6, 7, 3), np.uint8), random.integers(0, 256, (6, 7), np.uint8)
    page = Page("x")
    page.picture(colour, name="colour", caption="")
    page.picture(grey, name="grey", caption="")
    page.save(tmp_path / "page.html")
    np.testing.assert_array_equal(read_image(tmp_path / "page_files" / "colour.png"), colour)
    np.testing.assert_array_equal(read_image(tmp_path / "page_files" / "grey.png"), grey[..., None].repeat(3, axis=2))
    inline = re.findall(r"base64,([^\"]*)", page.html())
    np.testing.assert_array_equal(decode_image(base64.b64decode(inline[0]), "inline"), colour)


def test_two_pictures_of_one_name_are_refused() -> None:
    page = Page("x")
    page.picture(np.zeros((2, 2), np.uint8), name="same", caption="")
    with pytest.raises(ValueError, match="already has a picture named 'same'"):
        page.figure(line_figure(), name="same", caption="")


def test_a_list_of_nothing_is_nothing() -> None:
    page = Page("x")
    page.bullets([])
    assert "<ul>" not in page.html()


def test_pages_join_with_their_links_right(tmp_path: Path) -> None:
    first = Page("Whole")
    first.heading("Zero")
    first.extend(full_page())
    first.heading("Last")
    checker = checked(first)
    assert [link for link in checker.links if link.startswith("#s")] == ["#s1", "#s2", "#s3", "#s4"]
    assert "ModelInfo it." not in first.html()
    first.save(tmp_path / "whole.html")
    assert len(list((tmp_path / "whole_files").iterdir())) == 3


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="not a folder"):
        full_page().save(tmp_path / "file" / "page.html")
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page in")
def test_a_chinese_page_fits_a_phone(tmp_path: Path) -> None:
    """Long names break, wide tables scroll on their own, and no heading of a column stands on end."""
    assert CHROMIUM is not None
    name = "a_folder_with_a_long_name/" * 4 + "clip.mp4"
    page = Page("记录", language="zh")
    page.heading(name)
    page.heading("统计方法")
    page.bullets([name])
    header = ["文件", "首次出现", "最后出现", "在画面里", "张开的手掌", "其他手势", "看不清楚", "编号数"]
    page.table(header, [[name, *["0.1 秒"] * (len(header) - 1)]])
    path = tmp_path / "page.html"
    page.save(path)
    measured = """<script>
    Object.assign(document.body.style, { width: "358px", margin: 0 });
    const tall = Math.max(...[...document.querySelectorAll("thead th")].map((th) => th.clientHeight));
    const links = [...document.querySelectorAll("nav a")].map((a) => a.getBoundingClientRect().right);
    document.title = ["measured", document.body.scrollWidth, tall, Math.round(Math.max(...links))].join(" ");
    </script></body>"""
    path.write_text(path.read_text("utf-8").replace("</body>", measured), "utf-8")
    shown = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=390,800",
            "--dump-dom", path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout  # fmt: skip
    found = re.search(r"measured (\d+) (\d+) (\d+)", shown)
    assert found is not None
    width, tallest, right = map(int, found.groups())
    assert width <= 358 + 32, "the page, with its margins, is as wide as the phone"
    assert right <= 358 + 32, "links do not run over their column"
    assert tallest <= 45, "the heading of a column is in one line"
