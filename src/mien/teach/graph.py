"""What teaching writes as ONNX: the features of a hand, and the package's network with heads of one's own beside it.

The features are defined here alone: fitting runs the same nodes that the finished model holds, so the two cannot drift
apart. They are the bends of all joints, how far each finger is stretched, distances between tips, joints and wrist in
units of the palm, and where each finger points, seen from the palm: what a hand shows, however it is turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.extras import needs
from mien.teach.heads import Heads

OPSET = 18

_INPUT, _FEATURES, _LOGITS = "input", "teach_features", "teach_logits"
_EPS = 1e-8
_POINTS = 21
_CHAINS = tuple((0, *range(4 * finger + 1, 4 * finger + 5)) for finger in range(5))  # wrist, then base to tip
_TIPS = tuple(chain[-1] for chain in _CHAINS)
_BASES = tuple(chain[1] for chain in _CHAINS)
_PALM_PAIRS = ((0, 5), (0, 9), (0, 17), (5, 17))
_PAIRS = (
    *((a, b) for i, a in enumerate(_TIPS) for b in _TIPS[i + 1 :]),
    *((tip, 0) for tip in _TIPS),
    *((_TIPS[0], joint) for joint in (5, 6, 7, 9, 10, 13, 14, 17, 18)),
    *zip(_TIPS[1:], _BASES[1:], strict=True),
    *((a, a + 4) for a in (6, 7, 10, 11, 14, 15)),
)


class _Nodes:
    """Nodes and constants that are added to a graph; every name begins with `teach_`."""

    def __init__(self) -> None:
        with needs("teach"):
            from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, kind: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        name = to or f"teach_{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(kind, list(inputs), [name], name=f"node_{name}", **attributes))
        return name

    def const(self, value: object, kind: type[np.generic] = np.float32) -> str:
        """Add a constant."""
        name = f"teach_c{len(self.constants)}"
        self.constants.append(self._numpy.from_array(np.asarray(value, kind), name))
        return name

    def rows(self, points: str, which: Sequence[int]) -> str:
        """(N, len(which), 3) of (N, P, 3)."""
        return self("Gather", points, self.const(which, np.int64), axis=1)

    def between(self, points: str, pairs: Sequence[tuple[int, int]]) -> str:
        """(N, P, 3) from the first point of each pair to the second."""
        return self("Sub", self.rows(points, [b for _, b in pairs]), self.rows(points, [a for a, _ in pairs]))

    def dot(self, a: str, b: str, *, keep: bool = False) -> str:
        """(N, P) products of (N, P, 3) vectors; (N, P, 1) if the axis is kept."""
        return self("ReduceSum", self("Mul", a, b), self.const([2], np.int64), keepdims=int(keep))

    def length(self, vectors: str, *, keep: bool = False) -> str:
        """(N, P) lengths, or (N, P, 1)."""
        return self("Sqrt", self("Add", self.dot(vectors, vectors, keep=keep), self.const(_EPS)))

    def unit(self, vectors: str) -> str:
        return self("Div", vectors, self.length(vectors, keep=True))


def features_model() -> bytes:
    """An ONNX file that gives (N, F) float32 features for (N, 22, 3) canonical landmarks with the top, which it leaves
    out.

    Raises:
        MissingExtra: onnx is not installed.
    """
    nodes = _Nodes()
    _features(nodes, _INPUT, to=_FEATURES)
    with needs("teach"):
        from onnx import TensorProto, helper
    graph = helper.make_graph(
        nodes.nodes,
        "features",
        [helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, ["batch", _POINTS + 1, 3])],
        [helper.make_tensor_value_info(_FEATURES, TensorProto.FLOAT, ["batch", "features"])],
        nodes.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    return bytes(model.SerializeToString())


def taught_model_bytes(base: bytes, temperature: float, heads: Heads, order: Sequence[int]) -> bytes:
    """The package's network with heads beside it, as one ONNX file.

    Its logits are the logarithms of the network's calibrated probabilities, and of each head's odds that the hand shows
    its gesture rather than anything else. So, before `softmax`, gestures of one's own take the same share from all
    others, and leave their order as it was.

    Args:
        base: an ONNX file with one input, (N, 22, 3) canonical landmarks, and logits.
        temperature: of the network.
        heads: K of them.
        order: where each output comes from: columns of the network, then of the heads.

    Raises:
        MissingExtra: onnx is not installed.
        ModelError: the network is of another kind.
    """
    nodes = _Nodes()
    with needs("teach"):
        from onnx import TensorProto, helper, load_model_from_string
    model = load_model_from_string(base)
    graph = model.graph
    opset = next((each.version for each in model.opset_import if not each.domain), 0)
    if len(graph.input) != 1 or len(graph.output) != 1 or opset < OPSET:
        raise ModelError(f"The package's gesture model cannot be extended with new gestures: opset {opset}.")
    source, logits = graph.input[0].name, graph.output[0].name
    cooled = nodes("Div", logits, nodes.const(temperature))
    known = nodes("LogSoftmax", cooled, axis=1)
    own = _scores(nodes, _features(nodes, source), heads)
    both = nodes("Concat", known, own, axis=1)
    nodes("Gather", both, nodes.const(list(order), np.int64), axis=1, to=_LOGITS)
    graph.node.extend(nodes.nodes)
    graph.initializer.extend(nodes.constants)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(_LOGITS, TensorProto.FLOAT, ["batch", len(order)]))
    return bytes(model.SerializeToString())


def _features(nodes: _Nodes, source: str, *, to: str = "") -> str:
    """(N, F) features of (N, 22, 3) landmarks; none changes when the hand is turned or scaled."""
    ends = nodes.const([_POINTS], np.int64)
    points = nodes("Slice", source, nodes.const([0], np.int64), ends, nodes.const([1], np.int64))
    bones = nodes.between(points, [pair for chain in _CHAINS for pair in pairwise(chain)])
    lengths = nodes.length(bones)  # (N, 20)
    directions = nodes.unit(bones)
    joints = [4 * finger + i for finger in range(5) for i in range(3)]
    bends = nodes.dot(nodes.rows(directions, joints), nodes.rows(directions, [i + 1 for i in joints]))  # (N, 15)
    fingers = nodes.between(points, list(zip(_BASES, _TIPS, strict=True)))  # (N, 5, 3)
    own = np.kron(np.eye(5), [[0], [1], [1], [1]])  # (20, 5): the three bones of each finger
    stretched = nodes("Div", nodes.length(fingers), nodes("MatMul", lengths, nodes.const(own)))
    palm = nodes("MatMul", nodes.length(nodes.between(points, _PALM_PAIRS)), nodes.const(np.full((4, 1), 0.25)))
    distances = nodes("Div", nodes.length(nodes.between(points, _PAIRS)), palm)
    up = nodes.unit(nodes.between(points, [(0, 9)]))  # (N, 1, 3)
    across = nodes.between(points, [(17, 5)])
    leaning = nodes("Mul", nodes.dot(across, up, keep=True), up)
    across = nodes.unit(nodes("Sub", across, leaning))
    out = nodes("Sub", _turned(nodes, across, up, 0), _turned(nodes, across, up, 1))  # their cross product
    pointing = nodes.unit(fingers)
    seen = [nodes.dot(pointing, axis) for axis in (across, up, out)]
    return nodes("Concat", bends, stretched, distances, *seen, axis=1, to=to)


def _turned(nodes: _Nodes, a: str, b: str, way: int) -> str:
    """One of the two products of coordinates whose difference is a cross product."""
    orders = [1, 2, 0], [2, 0, 1]
    one, other = (nodes.const(order, np.int64) for order in (orders[way], orders[1 - way]))
    return nodes("Mul", nodes("Gather", a, one, axis=2), nodes("Gather", b, other, axis=2))


def _scores(nodes: _Nodes, features: str, heads: Heads) -> str:
    """(N, K) scores of the heads; see `Heads`."""
    centred = nodes("Sub", features, nodes.const(heads.mean))
    white = nodes("MatMul", centred, nodes.const(heads.whiten))  # (N, D)
    linear = nodes("Add", nodes("MatMul", white, nodes.const(heads.linear)), nodes.const(heads.bias))
    away = nodes("Sub", nodes("Unsqueeze", white, nodes.const([1], np.int64)), nodes.const(heads.centres[None]))
    far = nodes("ReduceMean", nodes("Mul", away, away), nodes.const([2], np.int64), keepdims=0)  # (N, K)
    return nodes("Add", linear, nodes("Mul", far, nodes.const(heads.slope)))


def head_scores(features: NDArray[np.float64], heads: Heads) -> NDArray[np.float64]:
    """(N, K) what the model's heads say of (N, F) features; the ONNX nodes of `_scores` are checked against it."""
    white = (features - heads.mean) @ heads.whiten
    far = ((white[:, None] - heads.centres) ** 2).mean(axis=2)
    return np.asarray(white @ heads.linear + heads.bias + far * heads.slope, np.float64)
