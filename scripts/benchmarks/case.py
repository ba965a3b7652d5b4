"""Cases of a benchmark: something of ours, and the peers that it is compared with."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Run = Callable[[], Any]  # does the work once and returns its output


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A subject that ours is compared with.

    Attributes:
        name: in the results.
        make: builds it; called only if its library is installed.
        library: the module that it needs and whose version is recorded, if not Keras's or the
            backend's.
        reach: at most this. `"time"` and `"memory"`: ours / peer; `"milliseconds"`: of ours;
            `"milliseconds more"`: ours - peer.
    """

    name: str
    make: Callable[[], Run]
    library: str | None = None
    reach: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_installed(self) -> bool:
        return self.library is None or importlib.util.find_spec(self.library) is not None


@dataclass(frozen=True, kw_only=True)
class Case:
    """One comparison.

    Attributes:
        name: of the computation and its size.
        ours: builds ours.
        peers: what it stands beside.
        steps: how many steps one run does; times are per step.
        memory: whether to measure peak memory too.
    """

    name: str
    ours: Callable[[], Run]
    peers: Sequence[Peer] = ()
    steps: int = 1
    memory: bool = True
