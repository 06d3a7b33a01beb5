"""Several answers inside one model file, averaged: of the mirrored view, and of several networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mien.errors import ModelError
from mien.models.artifact import MIRRORED
from mien.recipes.tables import MirrorKind
from mien.train.export.quantize import onnx_package

_MIRROR = "mirror_"
"""In front of the names of all that the mirrored view adds."""

_BY = f"{_MIRROR}by_"
"""The same of its numbers."""

_TURNING = {"start": [-1], "end": [np.iinfo(np.int64).min], "axis": [3], "step": [-1]}
"""How a picture (B, C, H, W) is sliced to be mirrored."""


def averaged(models: Sequence[bytes], mirror: MirrorKind) -> bytes:
    """One model with the mean answer of several networks, and of the mirrored view.

    With `turns` the first network sees the picture, the second its mirror image, the third the picture again: for the
    time of one view each. With the other kinds every network sees what `mirrored` says.

    Args:
        models: ONNX models with the same input (B, C, H, W) and output (B, L); at least one.
        mirror: which views are averaged.

    Raises:
        ModelError: the models do not fit together, or the views do not fit the models.
        MissingExtra: the package onnx is not installed.
    """
    if mirror == "turns" and len(models) == 1:
        if kind_of_mirror(models[0]) == "turns":
            return models[0]
        raise ModelError('With mirror = "turns" networks see the two views in turn: name others in export.partners.')
    if len(models) == 1:
        return mirrored(models[0], mirror)
    plain = [unmirrored(each) for each in models]
    if mirror == "turns":
        return joined(plain, turns=True)
    return mirrored(joined(plain), mirror)


def joined(models: Sequence[bytes], *, turns: bool = False) -> bytes:
    """One model with the mean of the logits of several.

    Args:
        models: ONNX models with one input and one output of the same shapes.
        turns: whether every other network sees the mirror image; for inputs (B, C, H, W).

    Raises:
        ModelError: their inputs or outputs differ, or they were written for different versions of ONNX.
        MissingExtra: the package onnx is not installed.
    """
    onnx = onnx_package()
    parts = [onnx.load_from_string(each) for each in models]
    first = parts[0]
    pictures, answers = first.graph.input[0].name, first.graph.output[0].name
    nodes: list[Any] = []
    tensors: list[Any] = []
    outputs: list[str] = []
    if turns:
        _check_pictures(first.graph)
        nodes.append(_turned(pictures))
        tensors += _integers(_TURNING)
    for number, part in enumerate(parts):
        if _interface(part) != _interface(first):
            raise ModelError("Networks are averaged where inputs, labels and versions of ONNX are the same.")
        prefix = f"network{number}_"
        graph = onnx.compose.add_prefix(part, prefix).graph
        sees = MIRRORED if turns and number % 2 else pictures
        for node in graph.node:
            node.input[:] = [sees if each == graph.input[0].name else each for each in node.input]
        nodes += graph.node
        tensors += graph.initializer
        outputs.append(graph.output[0].name)
    nodes.append(onnx.helper.make_node("Mean", outputs, [answers], name=f"{answers}_of_all_node"))
    graph = onnx.helper.make_graph(nodes, "averaged", first.graph.input, first.graph.output, tensors)
    opsets = {each.domain: each for part in parts for each in part.opset_import}
    newest = max(part.ir_version for part in parts)
    model = onnx.helper.make_model(graph, opset_imports=list(opsets.values()), ir_version=newest)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def kind_of_mirror(model_bytes: bytes) -> MirrorKind:
    """Which views a model averages.

    Raises:
        MissingExtra: the package onnx is not installed.
    """
    made = {name for node in onnx_package().load_from_string(model_bytes).graph.node for name in node.output}
    if MIRRORED not in made:
        return "none"
    if f"{_MIRROR}pairs" not in made:
        return "turns"
    return "probabilities" if f"{_MIRROR}softmax" in made else "logits"


def unmirrored(model_bytes: bytes) -> bytes:
    """The same model without what `mirrored` added; unchanged if it added nothing.

    Raises:
        ModelError: networks of the model see the views in turn.
        MissingExtra: the package onnx is not installed.
    """
    kind = kind_of_mirror(model_bytes)
    if kind == "none":
        return model_bytes
    if kind == "turns":
        raise ModelError(
            "The networks of the model see picture and mirror image in turn; they cannot be separated again."
        )
    onnx = onnx_package()
    model = onnx.load_from_string(model_bytes)
    graph = model.graph
    pictures, answers = graph.input[0].name, graph.output[0].name
    ours = [node for node in graph.node if node.name.startswith(_MIRROR) or MIRRORED in node.input]
    ours += [node for node in graph.node if node.output[0] == answers and node not in ours]
    names = {f"{pictures}_both": pictures, f"{answers}_of_both": answers}
    nodes = [type(node).FromString(node.SerializeToString()) for node in graph.node if node not in ours]
    for node in nodes:
        node.input[:] = [names.get(each, each) for each in node.input]
        node.output[:] = [names.get(each, each) for each in node.output]
    kept = [type(each).FromString(each.SerializeToString()) for each in graph.initializer]
    for field, values in ((graph.node, nodes), (graph.initializer, kept)):
        del field[:]
        field.extend(each for each in values if not each.name.startswith(_BY))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def mirrored(model_bytes: bytes, average: MirrorKind) -> bytes:
    """The same network, asked about each picture and its mirror image at once, with the mean of both answers.

    The weights are in the file once: the network gets both views as one batch of 2 B. With `probabilities` the output
    is the logarithm of the mean of both softmaxes, so that it still is logits to everything after it.

    Args:
        model_bytes: an ONNX model with one input (B, C, H, W) and one output (B, L).
        average: what is averaged; `none` changes nothing, nor does what the model averages already.

    Raises:
        ModelError: the model has another kind of input, takes only batches of a fixed size, or averages already in
            another way.
        MissingExtra: the package onnx is not installed.
    """
    onnx = onnx_package()
    model = onnx.load_from_string(model_bytes)
    graph = model.graph
    does = kind_of_mirror(model_bytes)
    if does == average:
        return model_bytes
    if does == "turns":
        raise ModelError(
            'The networks of the model see picture and mirror image in turn already; export it with mirror = "turns".'
        )
    if does != "none":
        raise ModelError(
            f'The model averages the {does} of the mirrored view already; export it with mirror = "{does}".'
        )
    _check_pictures(graph)
    pictures, answers = graph.input[0].name, graph.output[0].name
    both, plain = f"{pictures}_both", f"{answers}_of_both"
    for node in graph.node:
        node.input[:] = [both if each == pictures else each for each in node.input]
        node.input[:] = [plain if each == answers else each for each in node.input]
        node.output[:] = [plain if each == answers else each for each in node.output]
    labels = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    graph.initializer.extend(_integers({**_TURNING, "pairs": [2, -1, labels], "pair_axis": [0]}))
    averaged_as: tuple[tuple[str, str, dict[str, int]], ...] = (("ReduceMean", "mean", {"keepdims": 0}),)
    if average == "probabilities":
        averaged_as = (("Softmax", "softmax", {"axis": -1}), *averaged_as, ("Log", "log", {}))
    steps = [("Reshape", "pairs", {}), *averaged_as]
    extra = {"Reshape": [f"{_BY}pairs"], "ReduceMean": [f"{_BY}pair_axis"]}
    after: list[Any] = []
    last = plain
    for operator, name, settings in steps:
        out = answers if (operator, name, settings) == steps[-1] else f"{_MIRROR}{name}"
        fed = [last, *extra.get(operator, [])]
        after.append(onnx.helper.make_node(operator, fed, [out], name=f"{out}_node", **settings))
        last = out
    concat = onnx.helper.make_node("Concat", [pictures, MIRRORED], [both], name=f"{both}_node", axis=0)
    nodes = [_turned(pictures), concat, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # of batches of B
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _turned(pictures: str) -> Any:
    """The node that mirrors the pictures."""
    fed = [pictures, *(f"{_BY}{name}" for name in _TURNING)]
    return onnx_package().helper.make_node("Slice", fed, [MIRRORED], name=f"{MIRRORED}_node")


def _integers(numbers: Mapping[str, Sequence[int]]) -> list[Any]:
    """Tensors of the numbers that the nodes of the mirrored view work with."""
    make = onnx_package().numpy_helper.from_array
    return [make(np.array(values, np.int64), f"{_BY}{name}") for name, values in numbers.items()]


def _check_pictures(graph: Any) -> None:
    shape = graph.input[0].type.tensor_type.shape.dim
    if len(shape) != 4 or shape[0].dim_value:
        raise ModelError(
            "A mirrored view needs a network that takes any number of pictures (B, C, H, W); export it with mirror = "
            '"none".'
        )


def _interface(model: Any) -> tuple[object, ...]:
    """What models must share to be averaged."""
    shapes = tuple(
        tuple(side.dim_value for side in each.type.tensor_type.shape.dim)
        for each in (*model.graph.input, *model.graph.output)
    )
    return shapes, [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
