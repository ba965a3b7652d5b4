"""Which tensor of a published checkpoint is which weight of ours: tables, read both ways."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np

from keras_attention.kernels import set_value
from keras_attention.saving.errors import FileError
from keras_attention.saving.tensors import weights as weights_by_name

Arrays = list[np.ndarray]
_MOST = 20  # problems that a message lists


class Tensors(Protocol):
    """The tensors of a checkpoint by their names, of which each is read when it is asked for."""

    def __iter__(self) -> Iterator[str]: ...

    def __contains__(self, name: object) -> bool: ...

    def __getitem__(self, name: str) -> np.ndarray: ...

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of a tensor, which is not read."""
        ...


class Change(NamedTuple):
    """How arrays of theirs become arrays of ours, and back.

    `load` takes the arrays of theirs, `save` those of ours. `unread` is how many first rows of
    theirs nothing of ours stands for.
    """

    load: Callable[[Arrays], Arrays]
    save: Callable[[Arrays], Arrays]
    unread: int = 0


SAME = Change(lambda a: a, lambda a: a)
TRANSPOSED = Change(lambda a: [a[0].T], lambda a: [a[0].T])
CONVOLUTION = Change(  # (out, in, height, width) <-> (height, width, in, out)
    lambda a: [a[0].transpose(2, 3, 1, 0)], lambda a: [a[0].transpose(3, 2, 0, 1)]
)
FLAT = Change(lambda a: [a[0][0]], lambda a: [a[0][None]])  # a leading axis of 1


def parts(n: int, axis: int = -1, *, transposed: bool = False) -> Change:
    """Returns the change of one tensor of theirs that holds `n` of ours side by side, such as
    query, key and value."""

    def load(a: Arrays) -> Arrays:
        return np.split(a[0].T if transposed else a[0], n, axis)

    def save(a: Arrays) -> Arrays:
        whole = np.concatenate(a, axis)
        return [whole.T if transposed else whole]

    return Change(load, save)


def rows_from(first: int) -> Change:
    """Returns the change of a table with `first` rows before ours that no text reads.

    They come back as a checkpoint has them, or as zeros.
    """
    return Change(
        lambda a: [a[0][first:]],
        lambda a: [np.concatenate([np.zeros((first, *a[0].shape[1:]), a[0].dtype), a[0]])],
        unread=first,
    )


@dataclass(frozen=True)
class Rule:
    """Names of theirs and of ours, with `{i}` for the number of a layer, and how one becomes the
    other."""

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    change: Change = SAME


def rule(theirs: str | Iterable[str], ours: str | Iterable[str], change: Change = SAME) -> Rule:
    """Returns a rule of one name or several on either side."""
    names = ((n,) if isinstance(n, str) else tuple(n) for n in (theirs, ours))
    return Rule(*names, change)


def linear(theirs: str, ours: str) -> list[Rule]:
    """Returns the rules of a `torch.nn.Linear`; `ours` is a prefix, such as `"logits/"`."""
    return [
        rule(f"{theirs}.weight", f"{ours}kernel", TRANSPOSED),
        rule(f"{theirs}.bias", f"{ours}bias"),
    ]


def joined(theirs: str, *ours: str) -> list[Rule]:
    """Returns the rules of a `torch.nn.Linear` that is several of ours side by side."""
    kernels, biases = ([prefix + name for prefix in ours] for name in ("kernel", "bias"))
    return [
        rule(f"{theirs}.weight", kernels, parts(len(ours), transposed=True)),
        rule(f"{theirs}.bias", biases, parts(len(ours))),
    ]


def norm(theirs: str, ours: str) -> list[Rule]:
    """Returns the rules of a `torch.nn.LayerNorm`."""
    return [rule(f"{theirs}.weight", f"{ours}/gamma"), rule(f"{theirs}.bias", f"{ours}/beta")]


def load(
    model: keras.Model,
    tensors: Tensors,
    rules: Iterable[Rule],
    *,
    new: Iterable[str] = (),
    ignored: str = r"(?!)",
    non_finite: bool = False,
) -> None:
    """Gives `model` the weights of a checkpoint, whose names and shapes are all checked before any
    is set.

    Args:
        model: is built. It computes in its own dtype, whatever that of the tensors.
        tensors: of the checkpoint; each is read when its turn comes.
        rules: of the model. A rule whose weights the model does not have is left out.
        new: names of layers of the model that the checkpoint has nothing for.
        ignored: a regular expression of tensors that nothing of the model stands for.
        non_finite: whether weights may be NaN or infinite.

    Raises:
        FileError: tensors are missing, left over, of another shape, no numbers or not finite; each
            is named.
    """
    variables = weights_by_name(model)
    expanded = list(_expand(rules, variables))
    made = {name for name in variables if name.startswith(tuple(f"{n}/" for n in new))}
    left, given, problems = set(tensors), set(made), []
    for theirs, ours, change in expanded:
        missing = [name for name in theirs if name not in left]
        given.update(ours)
        if missing:
            problems += [f"{name} is missing" for name in missing]
            continue
        stand_ins = [np.broadcast_to(np.float32(0), tensors.shape(name)) for name in theirs]
        problems += _compare_shapes(theirs, ours, change, stand_ins, variables)
    left.difference_update(name for theirs, _, _ in expanded for name in theirs)
    problems += [f"{name} of the model gets no value" for name in variables if name not in given]
    problems += [f"{name} is unknown" for name in sorted(left) if not re.search(ignored, name)]
    if problems:
        raise FileError(
            f"The tensors of the checkpoint are not those of its model:{_list(problems)}"
        )
    for theirs, ours, change in expanded:
        for name, array in zip(ours, change.load([tensors[n] for n in theirs]), strict=True):
            if not (non_finite or np.isfinite(array).all()):
                raise FileError(
                    f"The tensor {theirs[0]} is NaN or infinite. If you trust the checkpoint, pass "
                    "`limits=ka.saving.Limits(non_finite=True)`."
                )
            set_value(variables[name], array)


def save(
    model: keras.Model, rules: Iterable[Rule], like: Tensors | None = None
) -> dict[str, np.ndarray]:
    """Returns the tensors of a checkpoint by their names.

    Args:
        model: whose weights they are.
        rules: of the model.
        like: tensors of a checkpoint, of which come the rows that the model does not have.

    Raises:
        ValueError: a weight of the model has no place in it.
    """
    variables, tensors = weights_by_name(model), {}
    left = set(variables)
    for theirs, ours, change in _expand(rules, variables):
        left.difference_update(ours)
        arrays = [keras.ops.convert_to_numpy(variables[name].value) for name in ours]
        tensors.update(zip(theirs, map(np.ascontiguousarray, change.save(arrays)), strict=True))
        if change.unread and like is not None and theirs[0] in like:
            tensors[theirs[0]][: change.unread] = like[theirs[0]][: change.unread]
    if left:
        raise ValueError(
            "`model` has weights that the checkpoint has no place for:" + _list(sorted(left))
        )
    return tensors


def covers(model: keras.Model, rules: Iterable[Rule], needed: Iterable[Rule]) -> bool:
    """Whether `rules` and `needed` stand for all weights of a model, and it has all of `needed`."""
    variables, needed = weights_by_name(model), list(needed)
    ours = [name for _, names, _ in _expand([*rules, *needed], variables) for name in names]
    return set(ours) == set(variables) and all(
        name in variables for rule in needed for name in rule.ours
    )


def _expand(
    rules: Iterable[Rule], variables: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Change]]:
    """Yields rules without `{i}`; those for weights that the model does not have are left out."""
    for each in rules:
        numbers = ["0"]
        if "{i}" in each.ours[0]:
            pattern = re.compile(re.escape(each.ours[0]).replace(r"\{i\}", r"(\d+)"))
            numbers = [match[1] for match in map(pattern.fullmatch, variables) if match]
        for number in numbers:
            theirs, ours = (
                tuple(name.replace("{i}", number) for name in names)
                for names in (each.theirs, each.ours)
            )
            if all(name in variables for name in ours):
                yield theirs, ours, each.change


def _compare_shapes(
    theirs: tuple[str, ...],
    ours: tuple[str, ...],
    change: Change,
    stand_ins: Arrays,
    variables: Mapping[str, keras.Variable],
) -> list[str]:
    """Returns what keeps tensors of some shapes from being weights of the model.

    Args:
        stand_ins: arrays of the tensors' shapes that take no memory.
    """
    shapes = " and ".join(f"{n} {a.shape}" for n, a in zip(theirs, stand_ins, strict=True))
    try:
        made = change.load(stand_ins)
    except (ValueError, IndexError):  # of a transposition or a split
        made = []
    if len(made) != len(ours):
        return [f"{shapes} cannot become {' and '.join(ours)}"]
    return [
        f"{shapes} would make {name} {array.shape}, which the model has as "
        f"{tuple(variables[name].shape)}"
        for name, array in zip(ours, made, strict=True)
        if array.shape != tuple(variables[name].shape)
    ]


def _list(problems: list[str]) -> str:
    """Returns problems one below the other; the same one of several layers comes once."""
    layers: dict[str, list[str]] = {}
    for problem in problems:
        layers.setdefault(re.sub(r"\b\d+\b(?=[./])", "{i}", problem), []).append(problem)
    lines = [
        same[0] if len(same) == 1 else f"{pattern} ({len(same)} times)"
        for pattern, same in layers.items()
    ]
    more = [f"and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return "".join(f"\n- {line}" for line in [*lines[:_MOST], *more])
