"""Figures of what a Q-network does, and an episode as an animation."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

import keras_attention as ka
from keras_attention.explain.plots import figures
from zoo.harness.animation import Animation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LENGTH = 1.0  # of the pole, in the units of the track
_CART = (0.6, 0.3)  # its width and height


def capture_attention(model: keras.Model, observations: np.ndarray) -> np.ndarray:
    """Returns the weights `(B, S)` by which the values are read, the mean over heads.

    They are of the numbers of an observation, or of past observations.
    """
    maps = ka.explain.attention_maps(model, observations)
    weights = list(maps.values())[-1].mean(axis=1)[:, 0]  # of the class token, or the pooling
    return weights[:, -observations.shape[1] :]  # not to the class token itself


def draw_advantage(
    values: Callable[[np.ndarray], np.ndarray],
    observe: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    actions: Sequence[str],
    title: str,
    angle: float = 0.2,
    velocity: float = 2.0,
    size: int = 41,
) -> "Figure":
    """Draws by how much the second of two actions is worth more than the first.

    Args:
        values: `(B, 2)` for observations.
        observe: observations of a pole with angles and velocities, `(B,)` each.
        actions: their names.
        title: of the figure.
        angle, velocity: the largest of the picture.
        size: points per side.
    """
    angles, velocities = np.linspace(-angle, angle, size), np.linspace(-velocity, velocity, size)
    grid = np.meshgrid(angles, velocities)
    of_actions = values(observe(grid[0].ravel(), grid[1].ravel()))
    difference = (of_actions[:, 1] - of_actions[:, 0]).reshape(size, size)
    highest = max(float(np.abs(difference).max()), 1e-6)
    figure = figures.create(5.4, 4.2)
    ax = figure.subplots()
    image = ax.imshow(
        difference,
        origin="lower",
        extent=(-angle, angle, -velocity, velocity),
        aspect="auto",
        cmap="RdBu",
        vmin=-highest,
        vmax=highest,
    )
    if difference.min() < 0 < difference.max():
        ax.contour(angles, velocities, difference, levels=[0.0], colors="black", linewidths=1)
    ax.set_xlabel("pole angle (rad)")
    ax.set_ylabel("pole velocity (rad/s)")
    ax.set_title(title, fontsize=10)
    figure.colorbar(image, ax=ax, label=f"value of {actions[1]} less that of {actions[0]}")
    return figure


def draw_timeline(
    positions: np.ndarray, weights: np.ndarray | None, labels: Sequence[str], *, title: str
) -> "Figure":
    """Draws an episode: where cart and pole are, and what is attended to meanwhile.

    Args:
        positions: `(T, 2)` of the cart and angle of the pole.
        weights: `(T, S)`, or `None`.
        labels: S names of what is attended to.
        title: of the figure.
    """
    figure = figures.create(7.6, 3.6 if weights is None else 5.2)
    rows = figure.subplots(1 if weights is None else 2, sharex=True, squeeze=False)[:, 0]
    rows[0].plot(positions[:, 0], label="cart position")
    rows[0].plot(10 * positions[:, 1], label="pole angle x 10 (rad)")
    rows[0].axhline(0, color="0.8", lw=0.8, zorder=0)
    rows[0].legend(frameon=False, ncols=2, fontsize=8)
    if weights is not None:
        image = rows[1].imshow(
            weights.T, aspect="auto", cmap="viridis", vmin=0, interpolation="nearest"
        )
        rows[1].set_yticks(range(len(labels)), labels, fontsize=8)
        figure.colorbar(image, ax=rows[1], label="weight", pad=0.01)
    rows[-1].set_xlabel("step")
    figure.suptitle(title, fontsize=11)
    return figure


def animate(
    positions: np.ndarray,
    weights: np.ndarray | None,
    labels: Sequence[str],
    *,
    title: str,
    every: int = 4,
    seconds: float = 0.02,
) -> Animation:
    """Draws an episode as it is played: the cart, and beside it what is attended to.

    Args:
        positions, weights, labels, title: as `draw_timeline` has them.
        every: steps from one frame to the next.
        seconds: of a step.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from keras_attention.explain.plots.literal_figure import LiteralFigure

    figure = LiteralFigure(figsize=(6.4, 2.4), dpi=80)
    canvas = FigureCanvasAgg(figure)
    track = figure.add_axes((0.03, 0.08, 0.55 if weights is not None else 0.94, 0.78))
    beside = figure.add_axes((0.76, 0.14, 0.22, 0.68)) if weights is not None else None
    frames = []
    for step in range(0, len(positions), every):
        _draw_cart(track, *positions[step])
        track.set_title(f"{title}, step {step}", fontsize=9)
        if beside is not None and weights is not None:
            _draw_bars(beside, weights[step], labels, highest=float(weights.max()))
        canvas.draw()
        frames.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return Animation(frames, every * seconds)


def _draw_cart(ax: "Axes", position: float, angle: float) -> None:
    from matplotlib.patches import Rectangle

    width, height = _CART
    ax.clear()
    ax.set_xlim(-2.6, 2.6)
    ax.set_ylim(-0.4, 1.5)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.plot([-2.4, 2.4], [0, 0], color="0.6", lw=1, zorder=0)
    ax.add_patch(Rectangle((position - width / 2, 0), width, height, color="#2a788e"))
    top = position + _LENGTH * np.sin(angle), height + _LENGTH * np.cos(angle)
    ax.plot([position, top[0]], [height, top[1]], color="#d95f02", lw=4, solid_capstyle="round")


def _draw_bars(ax: "Axes", weights: np.ndarray, labels: Sequence[str], *, highest: float) -> None:
    ax.clear()
    ax.barh(range(len(weights)), weights, color="#2a788e")
    ax.set_xlim(0, highest)
    ax.set_yticks(range(len(labels)), labels, fontsize=7)
    ax.tick_params(axis="x", labelsize=6)
    ax.set_title("attention", fontsize=8)
