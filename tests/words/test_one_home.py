"""No sentence for people stands in the code: look, live, classify, demo and report say what `mien.words` holds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mien

ROOT = Path(mien.__file__).parent
VERBS = ("look", "live", "classify", "demo", "report")

ERRORS = (
    *("mien.data", "mien.models", "mien.pixels", "mien.scale", "mien.artwork", "mien.recipes", "mien.train"),
    *("mien.errors", "mien.files", "mien.schema", "mien.addresses", "mien.scene", "mien.resource", "mien"),
    *("mien.records.events", "mien.records.tables", "mien.records.writers", "mien.outputs.sound", "mien.outputs.hooks"),
    *("mien.outputs.encoders", "mien.sources.cameras", "mien.sources.live", "mien.sources.streams"),
    *("mien.sources.videos", "mien.sources.ffmpeg", "mien.sources.fakes", "mien.sources.selection"),
    "mien.voice.pyttsx3_programs",
)
"""Rooms and modules in which sentences are parts of errors, which may stay English; what they say otherwise is none."""

NOT_SAID = {
    "mien.cli.console.pages": {": the folder of figures"},  # of an error
    "mien.cli.console.program": {" -m mien"},  # of a command to type
    "mien.cli.demo": {" look ", " --save annotated.jpg", " --jsonl -", " doctor"},  # of commands to type
    "mien.outputs.video": {"stays as it was", "was not finished"},  # of an error
    "mien.outputs.lettering.fonts": {"hiragino sans gb.ttc", "stheiti medium.ttc", "arial unicode.ttf"},
    "mien.reports.page": {r"Glyph \d+ .* missing from"},
    "mien.sources.link": {"The ", " delivers no picture."},  # of an error
    "mien.voice.engines": {"import pygame.mixer; pygame.mixer.init()"},
    "mien.voice.responses": {"label in [words]", "label in ["},  # of an error
    "mien.words.choice": {"language for "},  # of an error
}
SENTENCE = re.compile(r"[A-Za-z]{2,}[,;:]? [A-Za-z]|[A-Za-z]{3,}[.!?]$|^[A-Z][a-z]+ $| [a-z]{3,}\b")
MARKUP = re.compile(r"^\s*(<|\"|:root|import |role=)")
SINKS = re.compile(
    r"(typer\.(echo|prompt)|sys\.std(out|err)\.write|print|tell|print_note|\w*\.?(paragraph|heading|note|bullets|"
    r"set_xlabel|set_ylabel|set_title|_say|_report|_tell_once|_warn|_middle|_lines|fitted|wrapped)|"
    r"self\._lettering\.text)"
)


def _module(name: str) -> Path | None:
    path = ROOT.parent.joinpath(*name.split("."))
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mien"):
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def _trees() -> dict[str, ast.Module]:
    """The modules that the verbs reach, but for those of errors."""
    found: dict[str, ast.Module] = {}
    waiting = [f"mien.cli.{verb}" for verb in VERBS]
    while waiting:
        name = waiting.pop()
        path = _module(name)
        if name not in found and path is not None:
            found[name] = ast.parse(path.read_text("utf-8"))
            waiting += _imports(found[name])
    return {
        name: tree
        for name, tree in found.items()
        if not any(name == room or (room != "mien" and name.startswith(f"{room}.")) for room in ERRORS)
    }


class Literals(ast.NodeVisitor):
    """Collects the literals of a module that people may read: no docstring, annotation, error, key or log name."""

    def __init__(self) -> None:
        self.sentences: list[tuple[int, str]] = []
        self.shown: list[tuple[int, str]] = []
        self._sink = False

    def visit_Raise(self, node: ast.Raise) -> None: ...

    def visit_Assert(self, node: ast.Assert) -> None: ...

    def visit_arg(self, node: ast.arg) -> None: ...

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not ast.unparse(node.value).endswith(("Annotated", "Literal")):
            self.visit(node.value)  # and no key between the brackets

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for one in (*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body):
            self.visit(one)

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func)
        last = called.rpartition(".")[2]
        is_error = last[:1].isupper() and last.endswith(("Error", "Media", "Output", "Name", "Parameter", "Extra"))
        if is_error or called.startswith("_log."):  # logged are failures, as errors are
            return
        before, self._sink = self._sink, bool(SINKS.fullmatch(called))
        keys = last in ("say", "all", "join", "label", "below", "getLogger", "compile")
        for one in node.args[keys:]:
            self.visit(one)
        self._sink = False
        for keyword in node.keywords:
            self.visit(keyword.value)
        self.visit(node.func)
        self._sink = before

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str):
            return
        if SENTENCE.search(node.value) and not MARKUP.match(node.value):
            self.sentences.append((node.lineno, node.value))
        elif self._sink and re.search("[A-Za-z]{2,}", node.value) and node.value.strip() != "mien:":
            self.shown.append((node.lineno, node.value))


TREES = _trees()


@pytest.mark.parametrize("name", sorted(TREES))
def test_sentences_stand_in_the_words(name: str) -> None:
    literals = Literals()
    literals.visit(TREES[name])
    known = NOT_SAID.get(name, set())
    strange = [f"{name}:{line}: {text!r}" for line, text in literals.sentences if text not in known]
    strange += [f"{name}:{line}: {text!r} is shown" for line, text in literals.shown if text not in known]
    assert strange == [], "put it into src/mien/words/*.toml and say() it"


def test_the_verbs_and_what_they_show_are_walked() -> None:
    wanted = {*(f"mien.cli.{verb}" for verb in VERBS), "mien.window.painter", "mien.reports.session.page"}
    wanted |= {"mien.outputs.text", "mien.voice.voice", "mien.live.session", "mien.cli.console.pages"}
    assert wanted <= set(TREES)


def test_a_sentence_in_the_code_is_found() -> None:
    literals = Literals()
    literals.visit(
        ast.parse(
            'def f(x: "a kind one"):\n    """Says it."""\n    typer.echo("Done")\n    y = f"{x} was seen"\n'
            '    raise ValueError("this is an error")\n    typer.echo(say("look.line", path="a path"))\n'
        )
    )
    assert [text for _, text in literals.sentences] == [" was seen", "a path"]
    assert [text for _, text in literals.shown] == ["Done"]
