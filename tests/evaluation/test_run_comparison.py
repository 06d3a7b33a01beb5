from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from mien.errors import InputError
from mien.evaluation.results import rounded
from mien.evaluation.run_comparison import measured_figures, merged, read_entry
from mien.recipes.recipe import load_recipe
from mien.reports.runs.tables import (
    REPRODUCTION,
    comparison_header,
    comparison_page,
    comparison_rows,
    reproduction_rows,
    reproduction_text,
)
from mien.wording import cells_of_markdown, markdown_table, one_line, visible

REFERENCE = {
    "ref": "A-emo2",
    "author": "somebody",
    "author_score": 0.656,
    "author_metric": "validation accuracy",
    "protocol": "random 90/10 | seed 42",
}


def write(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), "utf-8")


def metrics(split: str, accuracy: float, *, protocol: str = "", kind: str = "run", **run: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "subject": {"kind": kind, "name": "cnn", "parameters": 583911},
        "data": {"split": split, "source": "fer2013.csv"},
        "protocol": protocol,
        "command": f"mien evaluate cnn --split {split}",
        "machine": "Linux, 2 cores",
        "figures": {
            "accuracy": accuracy,
            "samples": 3589,
            "without_copies": {"samples": 3000, "accuracy": accuracy - 0.02},
        },
        "run": {"recipe": {}, "summary": {}, "curves": []} | run,
    }


def make_run(folder: Path, *, reference: dict[str, Any] | None = None, finished: bool = True) -> Path:
    """A run folder of two epochs, without weights."""
    recipe = {"name": "cnn", "source": "tutorial A", "fit": {"epochs": 2}}
    write(folder / "recipe.json", recipe | ({"reference": reference} if reference else {}))
    (folder / "curves").mkdir()
    (folder / "curves" / "metrics.csv").write_text(
        "epoch,step,train_loss,val_loss,val_accuracy\n0,9,,1.9,0.31\n0,9,2.0,,\n1,19,,1.7,0.29\n1,19,1.8,,\n", "utf-8"
    )
    if finished:
        summary = {"best_val_accuracy": 0.6612, "parameters": 583911, "seconds": 300.0, "machine": "1 x card"}
        write(folder / "summary.json", summary | {"data_sha256": "abc"})
    return folder


def cells(folder: Path, header: tuple[str, ...] = ()) -> dict[str, str]:
    rows = reproduction_rows([read_entry(folder)]) if header else comparison_rows([read_entry(folder)])
    (row,) = rows
    return dict(zip(header or comparison_header(), row, strict=True))


def test_a_run_with_its_reference(tmp_path: Path) -> None:
    row = cells(make_run(tmp_path / "run", reference=REFERENCE))
    assert row == {
        "name": "cnn",
        "source": "tutorial A",
        "parameters": "583,911",
        "epochs": "2 of 2",
        "time": "5 min",
        "author's figure": "65.6 % validation accuracy",
        "ours, author's protocol": "66.1 % (validation, best epoch)",
        "ours, without copies": "-",
        "machine": "1 x card",
    }


def test_a_run_from_before_there_were_references(tmp_path: Path) -> None:
    row = cells(make_run(tmp_path / "run"))
    assert row["author's figure"] == row["ours, author's protocol"] == "-"


def test_a_run_that_is_not_finished(tmp_path: Path) -> None:
    row = cells(make_run(tmp_path / "run", reference=REFERENCE, finished=False))
    assert row["epochs"] == "2 of 2, not finished"
    assert row["time"] == row["machine"] == row["parameters"] == "-"
    assert row["ours, author's protocol"] == "31.0 % (validation, best epoch)"


def test_evaluations_inside_a_run_are_found(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", reference=REFERENCE)
    write(run / "validation" / "metrics.json", metrics("validation", 0.60))
    assert cells(run)["ours, without copies"] == "58.0 % (validation, 3,000 samples)"
    write(run / "test" / "metrics.json", metrics("test", 0.62))
    assert cells(run)["ours, without copies"] == "60.0 % (test, 3,000 samples)", "test says more than validation"
    write(run / "honest" / "metrics.json", metrics("validation", 0.5, protocol="honest"))
    write(run / "author" / "metrics.json", metrics("validation", 0.7, protocol="author"))
    row = cells(run)
    assert row["ours, without copies"] == "48.0 % (validation, 3,000 samples)", "what is marked counts"
    assert row["ours, author's protocol"] == "70.0 % (validation, 3,589 samples)"


def test_an_author_who_reports_the_test_split(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", reference=REFERENCE | {"author_metric": "test accuracy"})
    assert cells(run)["ours, author's protocol"] == "-", "validation accuracy is no test accuracy"
    write(run / "test" / "metrics.json", metrics("test", 0.62))
    assert cells(run)["ours, author's protocol"] == "62.0 % (test, 3,589 samples)"


def test_the_folder_of_an_evaluation_stands_alone(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.json", metrics("test", 0.62, kind="model"))
    row = cells(tmp_path / "a")
    assert (row["name"], row["source"], row["machine"]) == ("cnn", "model", "Linux, 2 cores")
    assert row["ours, without copies"] == "60.0 % (test, 3,000 samples)"


def test_a_run_and_its_evaluation_become_one_row(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", reference=REFERENCE)
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    recipe = json.loads((run / "recipe.json").read_text("utf-8"))
    write(tmp_path / "eval" / "metrics.json", metrics("test", 0.62, recipe=recipe, summary=summary))
    write(tmp_path / "other" / "metrics.json", metrics("test", 0.5, kind="model"))
    entries = merged([read_entry(tmp_path / name) for name in ("run", "eval", "other")])
    rows = comparison_rows(entries)
    assert len(rows) == 2
    assert rows[0][comparison_header().index("ours, without copies")] == "60.0 % (test, 3,000 samples)"
    assert entries[0].folder == run


@pytest.mark.parametrize(
    "other",
    [{"fit": {"epochs": 3}}, {"fit": {"epochs": 2, "seed": 2}}, {"fit": {"epochs": 2, "weight_decay": 1e-5}}],
)
def test_runs_of_other_settings_stay_apart_though_they_took_the_same_time(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    first, second = make_run(tmp_path / "first"), make_run(tmp_path / "second")
    recipe = json.loads((second / "recipe.json").read_text("utf-8")) | other
    write(second / "recipe.json", recipe)
    rows = comparison_rows(merged([read_entry(first), read_entry(second)]))
    assert [row[0] for row in rows] == ["cnn (first)", "cnn (second)"]


def test_runs_of_the_same_recipe_with_other_results_stay_apart(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "first"), make_run(tmp_path / "second")
    summary = json.loads((second / "summary.json").read_text("utf-8"))
    write(second / "summary.json", summary | {"best_val_accuracy": 0.6613})
    assert len(merged([read_entry(first), read_entry(second)])) == 2


def test_a_copied_run_and_its_evaluation_are_one_run(tmp_path: Path) -> None:
    """The evaluation repeats recipe and summary with the digits of metrics.json."""
    run = make_run(tmp_path / "run")
    recipe = json.loads((run / "recipe.json").read_text("utf-8")) | {
        "fit": {"epochs": 2, "weight_decay": 1.23456789e-3}
    }
    write(run / "recipe.json", recipe)
    shutil.copytree(run, tmp_path / "copy")
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    write(tmp_path / "eval" / "metrics.json", rounded(metrics("test", 0.62, recipe=recipe, summary=summary)))
    (entry,) = merged([read_entry(tmp_path / name) for name in ("run", "copy", "eval")])
    assert (entry.folder, len(entry.evaluations)) == (run, 1)


def test_equal_names_in_equal_folders_are_told_apart_by_the_whole_path(tmp_path: Path) -> None:
    for place in "ab":
        (tmp_path / place).mkdir()
    runs = [make_run(tmp_path / place / "run", finished=False) for place in "ab"]
    assert [row[0] for row in comparison_rows([read_entry(run) for run in runs])] == [f"cnn ({run})" for run in runs]


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("curves/metrics.csv", b"epoch,step\nx,\n", "its columns must hold numbers, but epoch does not"),
        ("curves/metrics.csv", b"epoch,val_accuracy,lr\n0,high,low\n", "but val_accuracy, lr do not"),
        ("curves/metrics.csv", b"epoch,val_accuracy\ninf,0.3\n", "its epochs must be finite"),
        ("curves/metrics.csv", b"step\n1\n", "it has no column epoch"),
        ("curves/metrics.csv", b"", "is damaged"),
        ("curves/metrics.csv", b"epoch,step\n\xff\xfe,1\n", "is damaged"),
        ("curves/metrics.csv", b"epoch,step\n1,2,3,4\n5\n1,2,3,4,5,6\n", "is damaged"),
        ("recipe.json", b"", "is damaged"),
        ("recipe.json", b"[]", "must hold an object"),
        ("recipe.json", b"[" * 100_000, "is damaged"),
        ("recipe.json", b'{"name": 3}', "name must be a string"),
        ("recipe.json", b'{"name": "a", "fit": []}', "fit must be"),
        ("recipe.json", b'\xff{"name": "a"}', "is damaged"),
        ("summary.json", b'{"seconds": "long"}', "seconds must be a number"),
        ("summary.json", b'{"last": [1]}', "last must be"),
        ("test/metrics.json", b'{"format": 1}', "is missing"),
        ("test/metrics.json", b'{"subject": "cnn"}', "is not an evaluation of this version"),
        ("test/metrics.json", b"\x00", "is damaged"),
    ],
)
def test_a_damaged_file_of_a_run_is_named(tmp_path: Path, file: str, content: bytes, told: str) -> None:
    run = make_run(tmp_path / "run")
    (run / "test").mkdir()
    (run / file).write_bytes(content)
    with pytest.raises(InputError, match=re.escape(str(Path(file)))) as error:
        read_entry(run)
    assert told in str(error.value)


def test_curves_of_an_evaluation_need_their_epochs(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.json", metrics("test", 0.62, curves=[{"val_accuracy": 0.3}]))
    with pytest.raises(InputError, match="its curves lack an epoch; evaluate again"):
        read_entry(tmp_path / "a")


def test_epochs_with_a_point_are_epochs(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / "curves" / "metrics.csv").write_text("epoch,val_accuracy\n0,0.3\n,\n1,0.4\n", "utf-8")
    assert read_entry(run).curves == [{"epoch": 1, "val_accuracy": 0.3}, {"epoch": 2, "val_accuracy": 0.4}]


def test_a_name_or_reference_of_several_lines_stays_one_entry_of_the_list(tmp_path: Path) -> None:
    reference = REFERENCE | {"ref": "A\n- B | c", "author_metric": "test accuracy"}
    run = make_run(tmp_path / "run", reference=reference)
    write(run / "test" / "metrics.json", metrics("test", 0.62) | {"command": "mien evaluate 'a\nb' --split test"})
    write(run / "recipe.json", json.loads((run / "recipe.json").read_text("utf-8")) | {"name": "two\nlines"})
    text = reproduction_text([read_entry(run)], command="mien compare 'a\nb'")
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- A - B | c: `mien evaluate 'a b' --split test`"
    ]
    assert "Made by `mien compare 'a b'` from" in text
    other = make_run(tmp_path / "other", reference=REFERENCE)
    again = reproduction_text([read_entry(other)], command="mien compare", earlier=text)
    assert "- A - B | c: `mien evaluate 'a b' --split test`\n" in again, "the entry stays with its row"


def test_figures_by_recipe(tmp_path: Path) -> None:
    rebuilt = make_run(tmp_path / "rebuilt", reference=REFERENCE)
    own = make_run(tmp_path / "own")
    recipe = json.loads((own / "recipe.json").read_text("utf-8")) | {"name": "mine"}
    write(own / "recipe.json", recipe)
    write(own / "test" / "metrics.json", metrics("test", 0.62))
    nothing = make_run(tmp_path / "nothing")
    figures = measured_figures([read_entry(folder) for folder in (rebuilt, own, nothing)])
    assert figures == {
        "cnn": {
            "accuracy": 0.6612,
            "on": "validation, best epoch",
            "command": "mien train cnn --data DATA",
            "ref": "A-emo2",
            "author_score": 0.656,
        },
        "mine": {
            "accuracy": pytest.approx(0.60),
            "on": "test, 3,000 samples",
            "command": "mien evaluate cnn --split test",
        },
    }


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_recipes_own_reference_counts_before_another(tmp_path: Path, order: tuple[int, int]) -> None:
    folders = []
    for ref, accuracy in (("D-tuned", 0.64), ("D-tuned, 12 epochs", 0.59)):
        folder = make_run(tmp_path / ref, reference=REFERENCE | {"ref": ref})
        recipe = json.loads((folder / "recipe.json").read_text("utf-8")) | {"name": "emotion_tuned"}
        write(folder / "recipe.json", recipe)
        write(folder / "summary.json", {"best_val_accuracy": accuracy})
        folders.append(folder)
    figures = measured_figures([read_entry(folders[i]) for i in order])
    assert (figures["emotion_tuned"]["ref"], figures["emotion_tuned"]["accuracy"]) == ("D-tuned", 0.64)
    assert measured_figures([read_entry(folders[1])])["emotion_tuned"]["accuracy"] == 0.59


@pytest.mark.parametrize(
    ("epochs", "summary", "short"),
    [(80, {"best_val_accuracy": 0.6}, False), (80, None, True), (3, {"best_val_accuracy": 0.6}, True)],
    ids=["stopped early by itself", "not finished", "fewer epochs asked for"],
)
def test_a_figure_of_fewer_epochs_says_so(
    tmp_path: Path, epochs: int, summary: dict[str, Any] | None, short: bool
) -> None:
    run = make_run(tmp_path / "run", reference=REFERENCE | {"ref": "D-tuned"})
    recipe = json.loads((run / "recipe.json").read_text("utf-8")) | {"name": "emotion_tuned"}
    write(run / "recipe.json", recipe | {"fit": recipe.get("fit", {}) | {"epochs": epochs}})
    (run / "summary.json").unlink(missing_ok=True)
    if summary:
        write(run / "summary.json", summary)
    entry = read_entry(run)
    (figure,) = measured_figures([entry]).values()
    assert ("planned" in figure) is short
    if short:
        assert (figure["epochs"], figure["planned"]) == (entry.epochs, 80)


def test_the_table_of_rebuilt_systems(tmp_path: Path) -> None:
    first = make_run(tmp_path / "b", reference=REFERENCE)
    second = make_run(tmp_path / "a", reference=REFERENCE | {"ref": "A-emo1"})
    plain = make_run(tmp_path / "plain")
    write(first / "test" / "metrics.json", metrics("test", 0.62))
    entries = [read_entry(folder) for folder in (first, second, plain)]
    rows = reproduction_rows(entries)
    assert [row[0] for row in rows] == ["A-emo1", "A-emo2"], "sorted, and without what rebuilds nothing"
    row = dict(zip(REPRODUCTION, rows[1], strict=True))
    assert row["command"] == "`mien train cnn --data DATA`"
    assert row["time and machine"] == "5 min; 1 x card"
    text = reproduction_text(entries, command="mien compare b a")
    assert "Made by `mien compare b a`" in text
    assert "- A-emo2: `mien evaluate cnn --split test`" in text
    assert r"random 90/10 \| seed 42" in text
    with pytest.raises(InputError, match=r"no section \[reference\]"):
        reproduction_text([read_entry(plain)], command="")


def test_rows_of_results_that_are_not_rebuilt_now_stay(tmp_path: Path) -> None:
    first = make_run(tmp_path / "b", reference=REFERENCE)
    second = make_run(tmp_path / "a", reference=REFERENCE | {"ref": "A-emo1"})
    earlier = reproduction_text([read_entry(first), read_entry(second)], command="mien compare b a")
    write(second / "summary.json", {"best_val_accuracy": 0.7})
    text = reproduction_text([read_entry(second)], command="mien compare a", earlier=earlier)
    assert "do not edit it. The rows of A-emo2 stayed as an earlier call of it left them." in text
    lines = [line for line in text.splitlines() if line.startswith("| A-emo")]
    assert [line.partition(" | ")[0] for line in lines] == ["| A-emo1", "| A-emo2"]
    assert "70.0 % (validation, best epoch)" in lines[0]
    assert lines[1] in earlier, "not changed by a letter"
    assert [line for line in text.splitlines() if line.startswith("- A-emo2: ")]
    both = reproduction_text([read_entry(first), read_entry(second)], command="mien compare b a", earlier=text)
    assert "stayed" not in both
    assert (
        reproduction_text([read_entry(second)], command="mien compare a", earlier="# Mine\n| A | b |\n").count("| A")
        == 1
    )


def test_markdown_has_as_many_cells_in_every_line() -> None:
    lines = markdown_table(("a", "b"), [("1", "x|y"), ("2", "")]).splitlines()
    assert lines == ["| a | b |", "| --- | --- |", r"| 1 | x\|y |", "| 2 |  |"]
    assert list(map(cells_of_markdown, lines[2:])) == [["1", "x|y"], ["2", ""]]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\v", "\x1c", "\x85", "\u2028"])
def test_a_line_break_leaves_the_table_in_one_piece(end: str, tmp_path: Path) -> None:
    broken = {"ref": f"B{end}x", "author_metric": f"best{end}accuracy", "protocol": f" 90/10 {end}{end}| seed{end}"}
    run = make_run(tmp_path / "run", reference=REFERENCE | broken)
    write(run / "test" / "metrics.json", metrics("test", 0.62))
    entries = [read_entry(run)]
    text = reproduction_text(entries, command="mien compare run")
    (line,) = (line for line in text.splitlines() if line.startswith("| B"))
    row = dict(zip(REPRODUCTION, cells_of_markdown(line), strict=True))
    assert (row["ref"], row["protocol"]) == ("B x", "90/10 | seed")
    metric = one_line(visible(f"best{end}accuracy"))  # texts write control characters out
    assert row["author's figure"] == f"65.6 % {metric}"
    assert "- B x: `mien evaluate cnn --split test`" in text.splitlines()
    assert reproduction_text(entries, command="mien compare run", earlier=text) == text, "the same row, not another one"
    assert len(markdown_table(comparison_header(), comparison_rows(entries)).splitlines()) == 3


@pytest.mark.parametrize("cell", [r"a\|b", r"\\||", "\\", "|", r"C:\runs \| x", r"a \ | b"])
def test_bars_and_backslashes_come_back(cell: str) -> None:
    *_, line = markdown_table(("a", "b"), [(cell, "2")]).splitlines()
    assert cells_of_markdown(line) == [cell, "2"]
    assert all(len(found) % 2 for found in re.findall(r"(\\+)\|", line)), "each bar in a cell is escaped"


def test_the_page_has_the_curves_of_all(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, reference=REFERENCE) for name in ("one", "two")]
    page = comparison_page([read_entry(run) for run in runs])
    page.save(tmp_path / "out" / "compare.html")
    text = (tmp_path / "out" / "compare.html").read_text("utf-8")
    assert "cnn (one) (best 0.310)" in text
    assert "cnn (two) (best 0.310)" in text, "equal names are told apart by the folder"
    assert {path.stem for path in (tmp_path / "out" / "compare_files").iterdir()} == {"accuracy", "loss"}


def test_a_page_without_curves(tmp_path: Path) -> None:
    write(tmp_path / "a" / "metrics.json", metrics("test", 0.62))
    assert "None of these logged any curves." in comparison_page([read_entry(tmp_path / "a")]).html()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no json", "is damaged"),
        ("[1]", "must hold an object"),
        ('{"format": 1}', "is not an evaluation of"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "metrics.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=words):
        read_entry(tmp_path)


def test_a_folder_of_neither_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run"):
        read_entry(tmp_path)


@pytest.mark.parametrize(
    ("file", "facts"),
    [
        ("recipe.json", {"name": "cnn", "fit": 3}),
        ("recipe.json", {"name": "cnn", "reference": []}),
        ("summary.json", {"parameters": "many"}),
        ("summary.json", {"seconds": "long"}),
    ],
)
def test_a_run_of_another_form_is_refused_by_name(tmp_path: Path, file: str, facts: dict[str, Any]) -> None:
    write(make_run(tmp_path / "run") / file, facts)
    with pytest.raises(InputError, match=f"{file} is damaged: "):
        read_entry(tmp_path / "run")


def test_what_an_earlier_version_did_not_say_is_unknown(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    write(run / "recipe.json", {"name": "cnn"})
    write(run / "summary.json", {})
    assert cells(run)["machine"] == "-"


@pytest.mark.parametrize(
    ("weights", "shown"),
    [
        ("/home/ann/faces/vgg16.pth", "vgg16.pth"),
        ("C:\\Users\\ann\\vgg 16.pth", "vgg 16.pth"),
        ("\\\\server\\ann\\vgg16.pth", "vgg16.pth"),
        ("runs/vgg16.pth", "runs/vgg16.pth"),
        ("recipe:emotion_soup", "recipe:emotion_soup"),
    ],
)
def test_the_command_says_no_folders_of_this_machine(tmp_path: Path, weights: str, shown: str) -> None:
    recipe = load_recipe(
        "emotion_camera", changes={"network.weights": json.dumps(weights), "loss.teachers": '["/home/ann/a", "b"]'}
    )
    write(tmp_path / "recipe.json", recipe.to_dict())
    command = read_entry(tmp_path).train_command
    words = shlex.split(command)
    assert f"network.weights={json.dumps(shown)}" in words
    assert 'loss.teachers=["a", "b"]' in words
    assert "/home" not in command
    assert "Users" not in command
