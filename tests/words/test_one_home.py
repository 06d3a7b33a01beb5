"""No sentence for people stands in the code: the verbs say what `mien.words` holds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mien
from mien.words import words

ROOT = Path(mien.__file__).parent
VERBS = (
    *("look", "live", "classify", "demo", "report", "serve", "scale.summarize", "scale.batch", "bench", "models.show"),
    *("models.compare", "recipes", "train", "evaluate", "compare", "export", "doctor", "data.asl", "data.collect"),
    *("data.duplicates", "data.explore", "data.fer2013", "data.import_", "teach"),
)

ERRORS = (
    *("mien.models", "mien.pixels", "mien.artwork", "mien.serve", "mien.train.networks"),
    *("mien.train.export.networks", "mien.train.export.ensemble"),
    *("mien.data.classes", "mien.data.hands", "mien.data.synonyms", "mien.data.readers.fer2013"),
    *("mien.scale.differences", "mien.scale.local", "mien.scale.ray_engine", "mien.scale.summary"),  # the last has SQL
    *(
        "mien.evaluation.grades",
        "mien.evaluation.manifest_scores",
        "mien.train.export.card",
        "mien.train.export.card_words",
    ),
    *("mien.train.corpus", "mien.train.export.model", "mien.train.fit", "mien.train.guards", "mien.train.start"),
    *("mien.errors", "mien.files", "mien.schema", "mien.addresses", "mien.scene", "mien.resource", "mien"),
    *("mien.records.events", "mien.records.tables", "mien.records.writers", "mien.outputs.sound", "mien.outputs.hooks"),
    *("mien.outputs.encoders", "mien.sources.cameras", "mien.sources.live", "mien.sources.streams"),
    *("mien.sources.videos", "mien.sources.ffmpeg", "mien.sources.fakes", "mien.sources.selection"),
    *("mien.voice.pyttsx3_programs", "mien.teach.card", "mien.teach.model"),
)
"""Rooms and modules in which sentences are parts of errors, model cards or what programs read, which stay English; what
they say otherwise is none."""

HELP = {
    "models": "List the models in the package, show the card of one (mien models NAME), or compare models on a data "
    "set.",
    "recipes": "List what `mien train` can train, or show one recipe.",
    "batch": "Look at many files on all processors or on many machines: mien batch SOURCE... --out DIR. Needs "
    "mien[scale].",
}
REASONS = {key.removeprefix("reason.") for key in words("en").texts if key.startswith("reason.")}
REPRODUCTION_WORDS = (
    *("author's figure", "ours by it", "ours on clean samples", "time and machine", " The rows of "),
    *(" stayed as an earlier call of it left them.", "# The reference systems, rebuilt", "\n\nMade by `"),
    *("` from the files that the runs left (", "); do not edit it."),
    "\nOur figures were printed by:\n\n",
)
NOT_SAID: dict[str, set[str]] = {
    "mien.cli.data.asl": {"folders"},  # the value of an option
    "mien.cli.doctor": {"no soundcards"},  # read, not said
    "mien.cli.export": {"The model folder"},  # of an error
    "mien.cli.models.compare": {"kind of labels"},  # of an error
    "mien.cli.models.show": {HELP["models"]},
    "mien.cli.recipes": {HELP["recipes"], "mien train --chain ", " --data DATA"},  # a command to type
    "mien.cli.scale.batch": {HELP["batch"]},
    "mien.cli.console.interruption": {"what was finished is saved"},  # of an error
    "mien.cli.train": {
        *("--weights starts one run", "--nodes is for one run"),  # of an error
        "no epoch was finished, so there is nothing to resume",  # of an error
        "mien export ",  # a command
    },
    "mien.data.collect": REASONS,
    "mien.data.duplicates": REASONS,
    "mien.data.readers.asl": {" and "},  # of an error
    "mien.data.readers.clutter": {"system volume information"},
    "mien.data.readers.ferplus": {" with labels of FER+"},  # what a data set is called
    "mien.data.readers.frames": REASONS,
    "mien.data.readers.load": {  # of an error
        "a folder with one folder per class, a CSV (emotion,pixels,Usage or path,label), or a packed .npz"
    },
    "mien.data.readers.tables": {" is already in line "},  # of an error
    "mien.evaluation.latency": {"processor time", "wall clock time"},  # of data, said by `again`
    "mien.evaluation.measures": {"micro avg", "(no group)"},  # of data
    "mien.evaluation.prediction_table": {"the predictions"},  # of an error
    "mien.evaluation.run_comparison": {"reference.", "export."},  # sections of a recipe
    "mien.recipes.recipe": {"trained with the recipe ", "without a name"},  # of an export, of an error
    "mien.recipes.tables": {"not stated by its maker"},  # of an export
    "mien.reports.dataset.plots": {"upper center"},
    "mien.reports.evaluation.plots": {"lower left"},
    "mien.reports.runs.tables": set(REPRODUCTION_WORDS),  # docs/reproduction.md
    "mien.scale.job": {" from "},  # of an error
    "mien.scale.folder": {  # of errors
        "--resume cannot go on with ",
        ", the work of an earlier run",
        " belongs to a batch",
        " to begin again",
        "choose a new folder",
    },
    "mien.scale.prepare": {" is damaged", " also holds a source that has changed"},  # of an error
    "mien.scale.tasks": {" could not be decoded and were left out."},  # of an error
    "mien.train.runs": {"network."},
    "mien.words.kept": {"kept."},
    "mien.cli.console.pages": {": the folder of figures"},  # of an error
    "mien.cli.console.program": {" -m mien"},  # of a command to type
    "mien.cli.demo": {" look ", " --save annotated.jpg", " --jsonl -", " doctor"},  # of commands to type
    "mien.cli.teach": {
        " and ",
        "none of them",
        "nothing was taught into it, for it has no ",
        "there is no such folder",
    },
    "mien.teach.lesson": {"the camera"},  # of an error
    "mien.outputs.video": {
        "stays as it was",
        "was not finished",
        "%s keeps its tables where they are: %s",
    },  # errors, a log
    "mien.outputs.lettering.fonts": {"hiragino sans gb.ttc", "stheiti medium.ttc", "arial unicode.ttf"},
    "mien.reports.page": {r"Glyph \d+ .* missing from", "DejaVu Sans"},
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
        if is_error or re.fullmatch(r"(_log|logger)\.(warning|error)", called):  # these are failures, as errors are
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
    wanted |= {"mien.reports.evaluation.plots", "mien.reports.dataset.findings", "mien.reports.runs.tables"}
    wanted |= {"mien.scale.status", "mien.scale.verify", "mien.train.callbacks", "mien.train.chain"}
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
