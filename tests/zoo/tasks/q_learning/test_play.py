"""Playing while a network learns: what it sees, how it explores, and that an interrupted training
is the uninterrupted one."""

import keras
import numpy as np
import pytest

import keras_attention as ka
from keras_attention.callbacks import Checkpoint
from tests.callbacks.training import Cut, Interrupt
from tests.zoo.data.walk import Walk
from zoo.tasks.q_learning import networks
from zoo.tasks.q_learning.networks import Networks
from zoo.tasks.q_learning.play import Exploration, Play
from zoo.tasks.q_learning.replay import Replay

pytestmark = pytest.mark.runs_on("torch")


@pytest.fixture(scope="module", autouse=True)
def not_compiled():
    """Compiling takes longer than all that is computed here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks.kernels, "compile_with", lambda function, variables: function)
        yield


STEPS = 3  # batches per epoch


def make(**changes):
    """A training ready to run, but for `fit`."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(3)]
    )
    model.compile(keras.optimizers.Adam(0.05), ka.training.ActionHuber(), run_eagerly=True)
    replay = Replay((2,), games=2, capacity=60, batch_size=4, num_batches=STEPS, n=2)
    settings = {
        "warmup": 20,
        "steps": 8,
        "exploration": Exploration(steps=60, end=0.1),
        "seeds": range(8),
        **changes,
    }
    return model, Play(Walk, replay, Networks(model, rate=0.5), **settings)


def fit(model, play, *callbacks, epochs=4):
    try:
        return model.fit(
            play.replay, shuffle=False, epochs=epochs, verbose=0, callbacks=[play, *callbacks]
        ).history
    except Interrupt:
        return None


def assert_same(model, play, other_model, other_play):
    ours, theirs = play.get_state(), other_play.get_state()
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    for a, b in zip(model.get_weights(), other_model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def whole():
    model, play = make()
    history = fit(model, play)
    return model, play, history


def test_the_seed_determines_it(whole):
    model, play, history = whole
    again, other = make()
    assert fit(again, other) == history
    assert_same(again, other, model, play)


# Within the first epoch, within a later one, at its end and as one begins.
CUTS = [
    ("on_train_batch_end", 2),
    ("on_train_batch_end", 2),
    ("on_epoch_end", 1),
    ("on_epoch_begin", 2),
]


def test_interrupted_is_uninterrupted(whole, tmp_path):
    model, play, history = whole
    for number, cut in enumerate([*CUTS, None]):
        again, other = make()
        np.random.rand(number)  # which a checkpoint must make good
        checkpoint = Checkpoint(tmp_path, every=1, resume=True, state=other)
        done = fit(again, other, checkpoint, *([Cut(*cut)] if cut else []))
        assert (done is None) == (cut is not None)
    assert checkpoint.history == history
    assert_same(again, other, model, play)


def test_what_is_played_is_in_the_replay(whole):
    """Each row is what the walk does, and episodes that are broken off are told from others."""
    state = whole[1].replay.get_state()
    observations, actions = state["observations"], state["actions"]
    ended = cut = 0
    for game in range(2):
        for row in range(state["count"] - 1) if state["count"] <= len(actions) else ():
            before, after = observations[row, game], observations[row + 1, game]
            if actions[row, game] < 0:
                assert after[1] == 0, "another episode begins"
                ended += state["final"][row, game]
                cut += not state["final"][row, game]
                assert state["final"][row, game] == (before[0] == 3)
                assert before[0] == 3 or before[1] == 8
            else:
                np.testing.assert_array_equal(after - before, [actions[row, game] - 1, 1])
                assert state["rewards"][row, game] == (after[0] == 3)
    assert ended + cut > 0


def test_exploration_falls_and_stays():
    exploration = Exploration(start=0.9, end=0.1, steps=100)
    assert [exploration(step) for step in (0, 25, 100, 1000)] == pytest.approx([0.9, 0.7, 0.1, 0.1])


@pytest.mark.parametrize(("share", "drawn"), [(0.0, {2}), (1.0, {0, 1, 2})])
def test_so_many_actions_are_random(share, drawn):
    """The network always goes up, but for these."""
    model, play = make(exploration=lambda step: share, warmup=0, steps=60)
    model.layers[-1].kernel.assign(np.zeros((8, 3)))
    model.layers[-1].bias.assign([0.0, 1.0, 2.0])
    model.compile(keras.optimizers.SGD(0.0), ka.training.ActionHuber(), run_eagerly=True)
    fit(model, play, epochs=1)
    actions = play.replay.get_state()["actions"]
    assert set(actions[actions >= 0]) == drawn


def test_the_best_network_is_the_model_in_the_end():
    model, play = make()
    seen = []

    class Seen(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((logs["val_return"], epoch, self.model.get_weights()))

    fit(model, play, Seen(), epochs=5)
    best = max(seen, key=lambda entry: entry[:2])  # of equals the last
    for ours, theirs in zip(model.get_weights(), best[2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len({value for value, *_ in seen}) > 1, "else there is nothing to choose"
