"""Steps of optimizers for PyTorch that visit the memory of the weights once.

A step is bound by memory: of the 28 million weights of a small BERT, their gradients and two
moments not a tenth fits into a cache. Keras clips, decays and updates in ten passes over all of
them. Here all of it is done to one piece of them while it is in the cache.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import torch
from keras import ops

from keras_attention.kernels.runtime.torch import becomes_graph, on_cpu
from keras_attention.types import Float, Tensor

_PIECE = 2**18  # numbers of a tensor that a core works on at a time: 1 MiB
_PLAIN = (torch.Tensor, torch.nn.Parameter)
_Row = tuple[Tensor, ...]  # weights, gradient, and what the optimizer keeps of them


class _Settings(NamedTuple):
    """Numbers of a step.

    Attributes:
        rate: of learning.
        keep: factor of the weights before they move, if they decay.
        weight_decay: that the kernel itself is to apply, times `rate`.
    """

    rate: Float[Tensor, ""]
    keep: Float[Tensor, ""] | None
    weight_decay: float = 0.0


class _Step(keras.optimizers.Optimizer):
    """Gradients clipped, weights decayed and updated in one go.

    As Keras does it, operation by operation, where the values are not the variables' own or where
    there are none: in a `keras.StatelessScope`, for a compiler, on the meta device; and for weights
    that are not of 32 bits, in whose own type Keras computes.

    Attributes:
        _passes: over the memory of the weights, if all went at once.
    """

    _passes: int

    def _clip_gradients(self, grads: Sequence[Tensor]) -> Sequence[Tensor]:
        return grads  # `_backend_update_step` clips them

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        """Does nothing: `_backend_update_step` decays the weights."""

    def _backend_update_step(
        self,
        grads: Sequence[Tensor],
        trainable_variables: Sequence[keras.Variable],
        learning_rate: Any,
    ) -> None:
        weights = _values(trainable_variables)
        grads = [g.to_dense() if g.is_sparse else g for g in grads]
        if weights is None or any(x.dtype != torch.float32 for x in weights):
            grads = super()._clip_gradients(grads)
            for variable in trainable_variables if self.weight_decay is not None else ():
                if self._use_weight_decay(variable):
                    variable.assign(variable * (1 - self.weight_decay * learning_rate))
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        with torch.no_grad():
            self._update(weights, grads, trainable_variables, learning_rate)

    def _update(
        self,
        weights: Sequence[Tensor],
        grads: Sequence[Tensor],
        variables: Sequence[keras.Variable],
        learning_rate: Any,
    ) -> None:
        grads = [_laid_out_as(x, g) for x, g in zip(weights, grads, strict=True)]
        clip = None
        if self.global_clipnorm and not self.clipnorm:
            clip = _clip_factor(grads, self.global_clipnorm)
        else:
            grads = super()._clip_gradients(grads)
        rate = ops.cast(learning_rate, variables[0].dtype)
        rows: dict[bool, list[_Row]] = {True: [], False: []}
        for variable, *tensors in zip(variables, weights, grads, strict=True):
            state = (x.value for x in self._state(self._get_variable_index(variable)))
            decays = self.weight_decay is not None and self._use_weight_decay(variable)
            rows[decays].append((*tensors, *state))
        size = None
        if on_cpu(weights[0]) and (clip is not None or self._passes > 1):
            size = _PIECE * torch.get_num_threads()
        with_decay = self._settings(rate)
        without = with_decay._replace(keep=None, weight_decay=0.0)
        for decays, of_some in rows.items():
            settings = with_decay if decays else without
            for piece in _pieces(of_some, size):
                x, g, *state_of_piece = map(list, zip(*piece, strict=True))
                if clip is not None:
                    g = torch._foreach_mul(g, clip)
                if settings.keep is not None:
                    torch._foreach_mul_(x, settings.keep)
                self._update_piece(settings, x, g, *state_of_piece)

    def _settings(self, rate: Float[Tensor, ""]) -> _Settings:
        """Returns the numbers of this step, for weights that decay if any do."""
        return _Settings(rate, None if self.weight_decay is None else 1 - self.weight_decay * rate)

    def _state(self, index: int) -> list[keras.Variable]:
        """Returns what the optimizer keeps of a variable."""
        raise NotImplementedError

    def _update_piece(
        self, settings: _Settings, x: list[Tensor], g: list[Tensor], *state: list[Tensor]
    ) -> None:
        """Updates parts of weights `x` by their gradients `g`."""
        raise NotImplementedError

    def _backend_increment_gradient_accumulators(
        self, grads: Sequence[Tensor], acc_grads: Sequence[keras.Variable]
    ) -> None:
        sums = _values(acc_grads)
        if sums is None:
            super()._backend_increment_gradient_accumulators(grads, acc_grads)
            return
        with torch.no_grad():
            torch._foreach_add_(sums, list(grads))


class AdamStep(_Step):
    """The step of `keras.optimizers.Adam` and `AdamW` by PyTorch's fused kernel."""

    _passes = 1

    def _settings(self, rate: Float[Tensor, ""]) -> _Settings:
        # Keras adds epsilon to the root of the second moment as it is, PyTorch to that of the
        # corrected one. Here the rate has both corrections, as Keras has it, and the kernel is
        # told that infinitely many steps lie behind, after which it corrects nothing.
        step = ops.cast(self.iterations + 1, rate.dtype)
        mean, square = (
            1 - ops.power(ops.cast(beta, rate.dtype), step) for beta in (self.beta_1, self.beta_2)
        )
        correction = ops.sqrt(square) / mean
        settings = super()._settings(rate)._replace(rate=rate * correction)
        if self.weight_decay is None or not on_cpu(rate):  # a GPU would be waited for
            return settings
        return settings._replace(keep=None, weight_decay=self.weight_decay / float(correction))

    def _state(self, index: int) -> list[keras.Variable]:
        state = [self._momentums, self._velocities]
        if self.amsgrad:
            state.append(self._velocity_hats)
        return [each[index] for each in state]

    def _update_piece(
        self,
        settings: _Settings,
        x: list[Tensor],
        g: list[Tensor],
        mean: list[Tensor],
        square: list[Tensor],
        largest: Sequence[Tensor] = (),
    ) -> None:
        torch._fused_adamw_(
            x,
            g,
            mean,
            square,
            largest,
            [torch.full((), torch.inf, device=x[0].device)] * len(x),
            lr=settings.rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            weight_decay=settings.weight_decay,
            eps=self.epsilon,
            amsgrad=self.amsgrad,
            maximize=False,
        )


class SGDStep(_Step):
    """The step of `keras.optimizers.SGD`; PyTorch's own has a momentum without the rate in it."""

    _passes = 3

    def _state(self, index: int) -> list[keras.Variable]:
        return [self.momentums[index]] if self.momentum else []

    def _update_piece(
        self,
        settings: _Settings,
        x: list[Tensor],
        g: list[Tensor],
        velocity: Sequence[Tensor] = (),
    ) -> None:
        move = torch._foreach_mul(g, settings.rate)
        if velocity:
            torch._foreach_mul_(velocity, self.momentum)
            torch._foreach_sub_(velocity, move)
        if not velocity or self.nesterov:
            torch._foreach_sub_(x, move)
        if velocity:
            torch._foreach_add_(x, velocity, alpha=self.momentum if self.nesterov else 1)


def _values(variables: Sequence[keras.Variable]) -> list[Tensor] | None:
    """Returns the tensors that hold the variables, or `None` if none may be written to."""
    values = [variable.value for variable in variables]
    if becomes_graph() or not all(
        x is variable._value
        and type(x) in _PLAIN
        and x.is_contiguous()
        and x.device == values[0].device
        and not x.is_meta
        for x, variable in zip(values, variables, strict=True)
    ):
        return None
    return values


def _laid_out_as(x: Tensor, gradient: Tensor) -> Tensor:
    """Returns a gradient with the type and order of `x` in memory: kernels do not look."""
    return gradient.to(x.dtype).contiguous()


def _clip_factor(gradients: Sequence[Tensor], norm: float) -> Float[Tensor, ""]:
    """Returns the factor that gives all gradients together at most this norm; NaN if they are."""
    total = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    factor = norm * torch.minimum(1 / total, torch.full_like(total, 1 / norm))
    return factor + (total - total)


def _pieces(rows: Sequence[_Row], size: int | None) -> Iterator[Sequence[_Row]]:
    """Yields rows of flat parts that have `size` numbers together; if `None`, all rows."""
    if size is None or not rows:
        yield from [rows] if rows else []
        return
    piece: list[_Row] = []
    numbers = 0
    for row in rows:
        for part in zip(*(x.view(-1).split(size) for x in row), strict=True):
            if numbers + part[0].numel() > size:
                yield piece
                piece, numbers = [], 0
            piece.append(part)
            numbers += part[0].numel()
    yield piece
