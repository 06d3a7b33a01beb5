from __future__ import annotations

import pytest
from rich.cells import cell_len

from mien.cli.console.plain import set_plain
from mien.cli.console.reading import fitted_lines, table_lines


def test_chinese_characters_are_two_columns_wide() -> None:
    assert table_lines(["class", "数量"], [["高兴", 1234], ["sad", 5]]) == [
        "class   数量",
        "高兴   1,234",
        "sad        5",
    ]


def test_a_cell_may_have_several_lines() -> None:
    assert table_lines(["class", "n"], [["one of\nseveral", 12], ["two", 3]]) == [
        "class     n",
        "one of   12",
        "several",
        "two       3",
    ]


HEADER = ("在这些划分里有相同图片的图片", "train", "validation", "test")
ROWS = [("redundant copies (all but one of each set)", 28709, 3589, 3589), ("多余的副本，每组只留一张", 1, 2, 3)]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Makes rich see a terminal; COLUMNS is its width."""
    monkeypatch.delenv("MIEN_PLAIN", raising=False)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    return monkeypatch


def test_a_table_is_folded_to_the_width_of_a_terminal(terminal: pytest.MonkeyPatch) -> None:
    for width in (200, 80, 60, 45):
        terminal.setenv("COLUMNS", str(width))
        lines = fitted_lines(HEADER, ROWS, indent=2)
        assert max(map(cell_len, lines)) <= width, width
        assert all(line.startswith("  ") for line in lines)
        said = "".join(lines).replace(" ", "")
        assert all(word in said for word in ("28,709", "validation", "3,589")), width
        assert (len(lines) == 3) == (width >= 80)
    # The first column in lines, whole words and nothing lost; the numbers beside the first of its lines.
    first = [line[2:].partition("  ")[0] for line in lines]
    assert first[2:5] == ["redundant copies", "(all but one of", "each set)"], lines
    assert [line for line in lines if "28,709" in line] == [lines[2]]
    assert "".join(first[:2]) == HEADER[0]


def test_spare_columns_go_only_where_folding_is_not_enough(terminal: pytest.MonkeyPatch) -> None:
    terminal.setenv("COLUMNS", "47")
    assert "test" in fitted_lines(HEADER, ROWS, spare=(3,))[0]
    terminal.setenv("COLUMNS", "46")
    lines = fitted_lines(HEADER, ROWS, spare=(3,))
    assert "test" not in lines[0]
    assert "validation" in lines[0]
    set_plain(True)
    try:
        assert len(fitted_lines(HEADER, ROWS, spare=(3,))) == 6
    finally:
        set_plain(False)
