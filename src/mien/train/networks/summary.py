"""What a network consists of, layer by layer, found by passing one image of zeros through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mien.recipes.recipe import Recipe
from mien.train.networks import build_network
from mien.train.networks.network import Network, parameter_count


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One step of a network.

    Args:
        name: its place in the network, e.g. `features.0`.
        kind: in words, e.g. `Conv 3x3, 64`.
        output: shape of its output for one sample, without the batch: channels, height and width, or units.
        total: all its parameters, including batch norm statistics, as Keras counts.
        trainable: the trainable ones.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    total: int
    trainable: int

    @property
    def frozen(self) -> bool:
        """Whether it has weights but none of them is trainable."""
        return self.total > 0 and self.trainable == 0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A network from its input to its logits.

    Args:
        input: shape of one sample: channels, height and width of an image, or (21, 3) landmarks.
        layers: every layer, in the order in which they run; operations in between are not listed.
        steps: the same with the network's own blocks (a bottleneck, a residual block) as one step each.
        total: all parameters, including batch norm statistics, as Keras counts.
        trainable: the trainable ones.
    """

    input: tuple[int, ...]
    layers: tuple[Layer, ...]
    steps: tuple[Layer, ...]
    total: int
    trainable: int


@dataclass
class _Seen:
    modules: list[tuple[nn.Module, tuple[int, ...]]] = field(default_factory=list)

    def __call__(self, module: nn.Module, _inputs: object, output: Tensor) -> None:
        self.modules.append((module, tuple(output.shape[1:])))


def summarise(network: Network, input_shape: tuple[int, ...]) -> Summary:
    """Run a network once, in evaluation mode, and record the output of each layer.

    Args:
        network: its mode is restored afterwards.
        input_shape: of one sample, without the batch.
    """
    layers, steps = _Seen(), _Seen()
    hooks = [module.register_forward_hook(layers) for module in network.modules() if not [*module.children()]]
    hooks += [module.register_forward_hook(steps) for module in _steps(network)]
    was_training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, *input_shape))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    names = {module: name for name, module in network.named_modules()}
    total, trainable = parameter_count(network)
    return Summary(
        input=input_shape,
        layers=_described(layers, names),
        steps=_described(steps, names),
        total=total,
        trainable=trainable,
    )


def _steps(module: nn.Module) -> Iterator[nn.Module]:
    """The modules that are not mere chains or lists of others."""
    for child in module.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from _steps(child)
        else:
            yield child


def _described(seen: _Seen, names: dict[nn.Module, str]) -> tuple[Layer, ...]:
    counted: set[nn.Module] = set()
    layers = []
    for module, output in seen.modules:
        if isinstance(module, nn.Identity):
            continue
        total, trainable = (0, 0) if module in counted else parameter_count(module)
        counted.add(module)
        layers.append(
            Layer(name=names[module], kind=_kind(module, output), output=output, total=total, trainable=trainable)
        )
    return tuple(layers)


def _kind(module: nn.Module, output: tuple[int, ...]) -> str:
    match module:
        case nn.Conv2d():
            height, width = module.kernel_size
            depthwise = "Depthwise conv" if module.groups == module.in_channels > 1 else "Conv"
            stride = f" by {module.stride[0]}" if module.stride[0] > 1 else ""
            return f"{depthwise} {height}x{width}{stride}, {module.out_channels}"
        case nn.Linear():
            return f"Dense {module.out_features}"
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return "Batch norm"
        case nn.MaxPool2d():
            return f"Max-pool {module.kernel_size}"
        case nn.AdaptiveAvgPool2d():
            return "Average over the picture"
        case nn.Dropout():
            return f"Dropout {module.p:g}"
        case nn.Flatten() | nn.ReLU() | nn.ReLU6() | nn.ELU():
            return type(module).__name__
    words = "".join(f" {c}" if c.isupper() else c for c in type(module).__name__.strip("_")).strip().capitalize()
    return f"{words}, {output[0]}"


def recipe_summary(recipe: Recipe) -> Summary:
    """The summary of the network that a recipe names, for its input; weights are random."""
    spec = recipe.input_spec()
    shape = spec.size_hw if spec.kind == "landmarks" else (spec.channels, *spec.size_hw)
    return summarise(build_network(recipe), shape)


def recipe_counts(recipe: Recipe) -> tuple[int, int]:
    """All parameters of the network that a recipe names, and the trainable ones, without allocating them."""
    with torch.device("meta"):
        return parameter_count(build_network(recipe))
