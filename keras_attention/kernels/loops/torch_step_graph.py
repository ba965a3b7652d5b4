"""A loop's step for PyTorch as a graph of operations, which takes no Python but theirs."""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from keras_attention.types import Tensor


class StepGraph:
    """A step's graph in two parts: what is the same in every step, and the rest.

    Nothing is computed twice, and nothing that is not used. Python calls each operation. Of a
    decoder's every other one is a view of a kernel, a part of a mask, or what another layer has
    computed as well.

    Args:
        traced: from the values of variables and the tensors of a step to those of the next one,
            and whether there is one.
        num_values: how many of its inputs are weights.
    """

    def __init__(self, traced: fx.GraphModule, num_values: int) -> None:
        nodes = list(traced.graph.nodes)
        _simplify(nodes)
        inputs = [node for node in nodes if node.op == "placeholder"]
        (outputs,) = next(node.args for node in nodes if node.op == "output")
        written = _shared(nodes, (arg for node in nodes for arg in _written(node)))
        leaves = inputs[num_values:]
        steady = {
            *inputs[:num_values],
            *(a for a, b in zip(leaves, outputs, strict=False) if a is b),
        } - written
        # What reads memory that is written to depends on when it does; and what is returned may be
        # written to by the next step.
        excluded = {node for node in nodes if written.intersection([node, *node.all_input_nodes])}
        excluded |= _shared(nodes, (node for node in outputs if node not in steady))
        first: dict = {}  # of nodes that compute the same
        same: dict[fx.Node, fx.Node] = {}
        for node in nodes:
            if node in excluded or not _is_pure(node):
                continue
            same[node] = first.setdefault(_key(node, same), node)
            if all(same.get(source, source) in steady for source in node.all_input_nodes):
                steady.add(same[node])

        used = _used(nodes, outputs, same)
        computed = [node for node in nodes if node in used and same.get(node, node) is node]
        # Of the tensors of a step, those that it changes.
        self._changing = [i for i, leaf in enumerate(leaves) if leaf not in steady]
        changing = [leaves[i] for i in self._changing]
        results = [outputs[i] for i in self._changing] + [outputs[-1]]
        moving = [node for node in computed if node not in steady]
        read = {same.get(s, s) for node in moving for s in node.all_input_nodes} | {
            same.get(node, node) for node in results
        }
        kept = [node for node in nodes if node in steady and node in read]
        self._begin = _part(traced, inputs, [n for n in computed if n in steady], kept, same)
        self._step = _part(traced, [*changing, *kept], moving, results, same)

    def __call__(self, values: Sequence[Tensor], leaves: list[Tensor]) -> list[Tensor]:
        """Returns the tensors when there is no next step. There is at least one."""
        kept = self._begin(*values, *leaves)
        changing, more = [leaves[i] for i in self._changing], True
        while more:
            *changing, more = self._step(*changing, *kept)
        for i, leaf in zip(self._changing, changing, strict=True):
            leaves[i] = leaf
        return leaves


def _part(
    traced: fx.GraphModule,
    inputs: Sequence[fx.Node],
    computed: Sequence[fx.Node],
    results: Sequence[fx.Node],
    same: dict[fx.Node, fx.Node],
) -> Callable[..., tuple[Tensor, ...]]:
    """Returns a function from `inputs` to `results` that computes the nodes `computed`."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in inputs:
        copies[node] = graph.placeholder(node.name)
    for node in computed:
        if node not in copies:
            copies[node] = graph.node_copy(node, lambda n: copies[same.get(n, n)])
    graph.output(tuple(copies[same.get(node, node)] for node in results))
    return fx.GraphModule(traced, graph).forward


def _schema(node: fx.Node) -> Any:
    return node.target._schema if isinstance(node.target, torch._ops.OpOverload) else None


def _arguments(node: fx.Node) -> dict[str, Any]:
    """Returns what an operation of PyTorch is called with, by name."""
    names = (argument.name for argument in _schema(node).arguments)
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def _viewed(node: fx.Node) -> list[fx.Node]:
    """Returns the nodes whose memory an operation returns or writes to, as its schema says."""
    schema = _schema(node)
    if schema is None:
        return node.all_input_nodes if node.op == "call_function" else []
    given = _arguments(node)
    return [
        leaf
        for argument in schema.arguments
        if argument.alias_info is not None
        for leaf in pytree.tree_leaves(given.get(argument.name))
        if isinstance(leaf, fx.Node)
    ]


def _written(node: fx.Node) -> list[fx.Node]:
    """Returns the nodes whose memory an operation writes to."""
    schema = _schema(node)
    return _viewed(node) if schema is not None and schema.is_mutable else []


def _is_pure(node: fx.Node) -> bool:
    """Returns whether a node depends on its inputs alone, and does nothing but compute."""
    if node.op == "get_attr":
        return True
    schema = _schema(node)
    if schema is None:
        return node.target is operator.getitem
    return not schema.is_mutable and torch.Tag.nondeterministic_seeded not in node.target.tags


def _simplify(nodes: Sequence[fx.Node]) -> None:
    """Has nodes read the node that has the memory, not a view of a view nor the same again."""
    aten = torch.ops.aten
    for node in nodes:
        if _returns_its_argument(node):
            node.replace_all_uses_with(node.args[0])
        elif node.target is aten.view.default and node.args[0].target is aten.view.default:
            node.args = (node.args[0].args[0], node.args[1])


def _returns_its_argument(node: fx.Node) -> bool:
    """Returns whether an operation returns its first argument as it is."""
    aten = torch.ops.aten
    packet = getattr(node.target, "overloadpacket", None)
    if packet is aten.alias:
        return True
    if packet not in (aten.to, aten.contiguous):
        return False
    before, after = node.args[0].meta["val"], node.meta["val"]
    if packet is aten.contiguous:
        return "memory_format" not in node.kwargs and before.is_contiguous()
    copies = _arguments(node).get("copy", False)
    return not copies and (before.dtype, before.device) == (after.dtype, after.device)


def _key(node: fx.Node, same: dict[fx.Node, fx.Node]) -> tuple[Any, ...]:
    """Returns a key that is equal for nodes that compute the same."""
    arguments, tree = pytree.tree_flatten((node.args, node.kwargs))
    arguments = [same.get(a, a) if isinstance(a, fx.Node) else repr(a) for a in arguments]
    return node.op, node.target, str(tree), *arguments


def _shared(nodes: Sequence[fx.Node], some: Iterable[fx.Node]) -> set[fx.Node]:
    """Returns some of the nodes, with those they view and those that view them."""
    shared: set[fx.Node] = set()
    waiting = list(some)
    while waiting:
        node = waiting.pop()
        if node not in shared:
            shared.add(node)
            waiting += _viewed(node)
    for node in nodes:
        if shared.intersection(_viewed(node)):
            shared.add(node)
    return shared


def _used(
    nodes: Sequence[fx.Node], outputs: Sequence[fx.Node], same: dict[fx.Node, fx.Node]
) -> set[fx.Node]:
    """Returns the nodes that the outputs and all that is written are computed of."""
    used: set[fx.Node] = set()
    waiting = [*outputs, *(node for node in nodes if _written(node))]
    while waiting:
        node = waiting.pop()
        node = same.get(node, node)
        if node not in used:
            used.add(node)
            waiting += node.all_input_nodes
    return used
