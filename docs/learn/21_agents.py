# %% [markdown]
# # What does an agent attend to?
#
# An agent that must act needs what it saw before, not only what it sees now. With attention over
# its past it learns which moment to remember, from rewards alone.

# %% [markdown]
# ## You need
#
# [Why not a recurrent state?](03_why_not_a_recurrent_state.py) and [how a decoder
# learns](12_teacher_forcing.py), for the causal mask.
#
# - State $s$: what the agent knows; action $a$: what it does; reward $r$: what it gets.
# - $\gamma$: a number below 1; a reward one step later counts $\gamma$ times as much.
# - $Q(s,a)$: the value of an action: all rewards that follow, discounted, if one goes on well.
# - $Q^-$: an older copy of $Q$, the target network. $s'$: the state after $s$.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or "jax" or "tensorflow", before Keras

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

import keras_attention as ka
from zoo.tasks.q_learning.networks import double_q

# %% [markdown]
# ## The idea
#
# Nobody tells an agent the right action. It acts, and at times there is a reward. The trick of
# Q-learning: learn a number for each action, "how much will follow". Then acting is easy. Take the
# largest.
#
# *How can one learn what will follow?* By comparing two moments. The value now should be the reward
# now, plus the value of the next state. If it is not, move it there. So knowledge creeps backwards,
# one step at a time, from the reward to what led there.
#
# *Must the agent play well to learn well?* No. A value is about the best that can follow, not about
# what the player did next. So one may learn from random play, as we do below, or from the games of
# others. That is called off-policy.
#
# *And what is the state?* Often one look is not enough. A photograph of a ball does not say where
# it flies. Someone shows you the way, and minutes later you stand at the crossing. The
# present is the same for all who stand there; only the past differs. So the state must hold the
# past. We give the network all observations so far, and let attention choose. This is a causal
# decoder whose tokens are moments.

# %% [markdown]
# ## The equation
#
# The target of double Q-learning (van Hasselt et al., 2016,
# [arXiv 1509.06461](https://arxiv.org/abs/1509.06461), equation 4):
#
# $$y = r + \gamma\, Q^-\big(s', \arg\max_{a'} Q(s', a')\big)$$
#
# $Q(s,a)$ is moved towards $y$. At the end of an episode there is no $s'$, and $y=r$.
#
# *Why two networks?* The maximum of noisy numbers is too high: it picks the one whose error is
# largest. If one network chooses and another one values, an error of the first is no gain in the
# second. And $Q^-$ stands still for a while, so that one does not chase one's own tail.

# %% [markdown]
# ## By hand
#
# **The target.** Reward 1, $\gamma=0.9$. In the next state the network says (2, 3), its older copy
# (5, 4). The network chooses the second action, as $3>2$. The copy values it: 4. So
# $y=1+0.9\cdot4=4.6$. The plain maximum of the copy would give $1+0.9\cdot5=5.5$.
#
# **The memory.** At a crossing the agent looks back at five moments. The signal was in the first.
# Its score is $\ln 16$, the other four have 0. Its weight is $16/(16+4)=0.8$. If its value is 1 and
# theirs are 0, the agent reads 0.8 at the crossing, however long ago the signal was.

# %%
online, older = np.array([[2.0, 3.0]]), np.array([[5.0, 4.0]])  # (B, A)
np.testing.assert_allclose(1 + 0.9 * older[0, online[0].argmax()], 4.6)
np.testing.assert_allclose(1 + 0.9 * older.max(), 5.5)
memory = np.exp([np.log(16), 0, 0, 0, 0])
np.testing.assert_allclose(memory[0] / memory.sum(), 0.8)

# %% [markdown]
# ## In code
#
# A world: a corridor of six moments. In the first a signal says left or right. Then four times a
# lamp flickers, which means nothing. At last comes a crossing. Who turns as the signal said gets 1.
# Actions before do nothing.

# %%
T, GAMMA = 6, 0.9


def draw_corridors(count, seed):  # observations (B, T, F), signals (B,)
    rng = np.random.default_rng(seed)
    seen = np.zeros((count, T, 4), "float32")  # signal left, signal right, lamp, crossing
    signal = rng.integers(0, 2, count)
    seen[np.arange(count), 0, signal] = 1
    seen[:, 1:-1, 2] = rng.choice([-1, 1], (count, T - 2))
    seen[:, -1, 3] = 1
    return seen, signal


def rewards_of(actions, signal):  # (B, T), (B,) to (B, T)
    rewards = np.zeros(actions.shape)
    rewards[:, -1] = actions[:, -1] == signal
    return rewards


def targets(rewards, online, older):  # (B, T), (B, T, A), (B, T, A) to (B, T)
    chosen = online[:, 1:].argmax(axis=-1)[..., None]  # in the next state
    worth = np.take_along_axis(older[:, 1:], chosen, axis=-1)[..., 0]  # (B, T - 1)
    y = rewards.copy()
    y[:, :-1] += GAMMA * worth  # the last moment has no next one
    return y


y = targets(np.array([[1.0, 0.5]]), np.array([[[0, 0], [2, 3]]]), np.array([[[0, 0], [5, 4]]]))
np.testing.assert_allclose(y, [[4.6, 0.5]])

# %% [markdown]
# ## In the library
#
# The choice by one network and the value by another is `zoo/tasks/q_learning/networks.py`
# (`double_q`). The recipe `zoo/recipes/cartpole_memory.py` balances a pole whose velocities are
# hidden, by attention over its last eight looks; its network is `zoo/models/q_network.py`. Reading
# a memory is cross-attention: `keras_attention/layers/attention/multi_head_cross_attention.py`.

# %%
np.testing.assert_allclose(1 + 0.9 * double_q(online, older), [4.6])

layer = ka.layers.MultiHeadCrossAttention(1, head_dim=1, scale=1.0, use_bias=False)
query = np.ones((1, 1, 1), "float32")  # (B, T, D), the crossing
key = np.array([[[np.log(16)], [0], [0], [0], [0]]], "float32")  # (B, S, D)
value = np.array([[[1], [0], [0], [0], [0]]], "float32")
layer.build(query.shape, value.shape, key.shape)
for kernel in layer.trainable_weights:
    kernel.assign([[1.0]])
np.testing.assert_allclose(ops.convert_to_numpy(layer(query, value, key=key)), [[[0.8]]], rtol=1e-5)

# %% [markdown]
# ## Look
#
# The network values both actions at every moment, in one causal pass. It learns from episodes with
# random actions. Of the two actions only the taken one gets a target. The other keeps its own
# value, so its error is zero.


# %%
def make_network(window):  # moments that a moment sees, itself included
    seen = keras.Input((T, 4))
    x = keras.layers.Dense(32)(seen)  # (B, T, D)
    x = ka.layers.PositionalEncoding("learned", T)(x)
    x = ka.layers.TransformerBlock(2, 64, causal=True, window=window)(x)
    return keras.Model(seen, keras.layers.Dense(2)(x))  # (B, T, A)


def learn(window, updates=200):
    keras.utils.set_random_seed(0)
    network, copy = make_network(window), make_network(window)
    network.compile(keras.optimizers.Adam(0.005), "mse")
    for update in range(updates):
        if update % 10 == 0:
            copy.set_weights(network.get_weights())
        seen, signal = draw_corridors(128, seed=update)
        actions = np.random.default_rng(update + 500).integers(0, 2, (128, T))
        online = np.array(network.predict_on_batch(seen))  # (B, T, A)
        y = targets(rewards_of(actions, signal), online, copy.predict_on_batch(seen))
        np.put_along_axis(online, actions[..., None], y[..., None].astype("float32"), axis=-1)
        network.train_on_batch(seen, online)
    return network


agent = learn(window=T)
seen, signal = draw_corridors(200, seed=1000)  # that it has not seen
with ka.capture() as maps:
    q = ops.convert_to_numpy(agent(seen))  # (B, T, A)
(weights,) = (ops.convert_to_numpy(w).mean(axis=0) for w in maps.values())  # (N, T, T)
weights = weights[weights[:, -1, 0].argmax()]  # (T, T), of the head that reads the signal most
turned_right = float(np.mean(q[:, -1].argmax(-1) == signal))
print("turns as it was told:", turned_right)
print("the crossing reads:", weights[-1].round(2))
print("value of a moment:", q.max(axis=-1).mean(axis=0).round(2))
assert turned_right > 0.95
assert weights[-1].argmax() == 0
np.testing.assert_allclose(q[:, -1].max(axis=-1).mean(), 1, atol=0.2)
np.testing.assert_allclose(q[:, 0].max(axis=-1).mean(), 0.59, atol=0.2)
np.testing.assert_allclose(0.9**5, 0.59, atol=0.001)

# %% mystnb={"image": {"alt": "Left: a lower triangle of weights over six moments; the bottom row, the crossing, is brightest at the signal. Right: the value rises from about 0.6 at the signal to 1 at the crossing."}}
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.3), layout="constrained")
moments = ["signal", "lamp", "lamp", "lamp", "lamp", "crossing"]
shown = left.imshow(weights, cmap="viridis", vmin=0, vmax=1)
left.set_xticks(range(T), moments, rotation=60)
left.set_yticks(range(T), moments)
left.set(xlabel="moment that is read", ylabel="moment that reads")
left.set_title("The crossing reads the signal", fontsize=11)
figure.colorbar(shown, ax=left, label="weight", shrink=0.8)
right.plot(q.max(axis=-1).mean(axis=0), "ko-", label="learned")
right.plot(GAMMA ** np.arange(T)[::-1], "k:", label="discounted reward")
right.set_xticks(range(T), moments, rotation=60)
right.set_ylim(0, 1.2)
right.set_title("The value grows towards it", fontsize=11)
_ = right.legend(frameon=False)

# %% [markdown]
# Left: rows are moments; bright cells are what they read, in one of two heads, mean over 200
# episodes. Right: the value
# of the better action. The dotted line is $\gamma$ to the power of the steps that are left: 0.59 at
# the signal.

# %% [markdown]
# ## Change
#
# Take the memory away: a window of one moment. At the crossing all episodes look the same. What can
# the agent do? It is right by luck in one of two cases. And its value should say so: each action is
# worth one half.

# %%
window = 1  # CHANGE ME: try 5, then 6

changed = learn(window)
q_changed = ops.convert_to_numpy(changed(seen))
luck = float(np.mean(q_changed[:, -1].argmax(-1) == signal))
print(
    "turns as it was told:", luck, "values at the crossing:", q_changed[:, -1].mean(axis=0).round(2)
)

# %%
if window < T:
    assert luck < 0.7 < turned_right
    np.testing.assert_allclose(q_changed[:, -1], 1 / 2, atol=0.2)

# %% [markdown]
# Five moments do no better: they reach back to the first lamp, and the signal was before it.

# %% [markdown]
# ## Mistakes
#
# - **A next state after the end.** The target is the reward alone. Else the value of an end grows
#   without limit.
# - **The plain maximum.** Values drift upwards; the second exercise shows it.
# - **The network as its own target**, copied at every step. Learning swings.
# - **Looking ahead.** Without the causal mask the agent sees the future in training, and has none
#   when it plays.
# - **Trusting a map of a bad agent.** First measure that it does its task.
# - **Positions left out.** "The last moment" is then hard to tell from the one before.

# %% [markdown]
# ## Exercises
#
# 1. What is the target of the last moment of an episode, if the reward is 0.5? Why may one not add
#    the value of the first moment of the next episode?
# 2. Two actions are both worth 0. Their estimates have errors of deviation 1. What is the mean of
#    the maximum? And of double Q-learning with two independent estimates?
# 3. How many moments back must a window reach in a corridor of $n$ lamps?

# %% tags=["hide-cell"]
# 1. 0.5. The next episode would have come anyway; no action of this one earned it.
y = targets(np.array([[0.5]]), np.zeros((1, 1, 2)), np.zeros((1, 1, 2)))
np.testing.assert_allclose(y, [[0.5]])

# %% tags=["hide-cell"]
# 2. The maximum is too high by 0.56, one over the root of pi. With two estimates: 0.
rng = np.random.default_rng(0)
first, second = rng.normal(size=(2, 100000, 2))
np.testing.assert_allclose(first.max(axis=1).mean(), 0.56, atol=0.02)
np.testing.assert_allclose(1 / np.sqrt(np.pi), 0.56, atol=0.01)
np.testing.assert_allclose(double_q(first, second).mean(), 0, atol=0.02)

# %% tags=["hide-cell"]
# 3. n + 2 moments, itself and the signal included: the mask of the crossing says so.
for lamps in (1, 4):
    moments_seen = np.arange(lamps + 2) > (lamps + 1) - (lamps + 2)  # s > t - window
    assert moments_seen.all()
    assert not (np.arange(lamps + 2) > (lamps + 1) - (lamps + 1)).all()

# %% [markdown]
# ## Limits and sources
#
# The world is small, and random play finds the reward in half of the episodes. Where rewards are
# rare, no attention helps before the first one is found. And a weight tells what was read. It does
# not prove that it mattered: see the next lesson.
#
# - Deep Q-learning: Mnih et al., 2015,
#   [DOI](https://doi.org/10.1038/nature14236).
# - Double: van Hasselt et al., 2016, [arXiv 1509.06461](https://arxiv.org/abs/1509.06461).
# - Attention over the past: Esslinger et al., 2022,
#   [arXiv 2206.01078](https://arxiv.org/abs/2206.01078).
#
# Next: [Do weights explain?](22_do_weights_explain.py)
