"""Which positions survive longer texts? A lesson as a notebook and as a program."""

# %% [markdown]
# # Which positions survive longer texts?
#
# Those to which a far token looks like something they have met in training. A learned table does
# not survive, and using distances in place of positions is a help, but not enough.
#
# ## You need
#
# [How does a model know the order?](08_how_order_enters.py) Symbols:
#
# | symbol | meaning | shape |
# |---|---|---|
# | $m$, $n$ | positions of a query and of a key | numbers |
# | $m - n$ | their distance; positive if the key came before | number |
# | $q$, $k$ | query and key of one head | (H,) |
# | $R_m$ | the rotation that belongs to position m | (H, H) |

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or "jax" or "tensorflow", before Keras

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_attention as ka

# %% [markdown]
# ## The idea
#
# Train on texts of 32 tokens, then use the model on 128. What does position 100 mean to it? In a
# learned table, row 100 never got a gradient. It still holds the random numbers it was born with.
# That is worse than nothing.
#
# But language cares little about "word 100". It cares about "the word before". The distance 1
# occurs in a short text as often as in a long one. So put distances into attention, not positions
# into tokens. Four ways have become common:
#
# - **Rotary** turns query and key by angles that grow with their positions. In the dot product only
#   the difference of the angles is left.
# - **ALiBi** subtracts a penalty from each score: the distance times a slope. Nothing is learned.
# - **T5** learns a number to add for each distance, but far distances share one, in *buckets*.
# - **Shaw** learns a vector for each distance, and all distances beyond a limit share one.
#
# ## The equation
#
# - Rotary ([Su et al., 2021](https://arxiv.org/abs/2104.09864), equation 16): $(R_m q) \cdot (R_n
#   k) = q^\top R_{n-m}\, k$.
# - ALiBi ([Press et al., 2022](https://arxiv.org/abs/2108.12409), section 3): $q \cdot k -
#   \text{slope} \cdot (m - n)$.
# - T5 ([Raffel et al., 2020](https://arxiv.org/abs/1910.10683), section 2.1): $q \cdot k +
#   b[\text{bucket}(m - n)]$.
# - Shaw ([Shaw et al., 2018](https://arxiv.org/abs/1803.02155), equation 4): $q \cdot (k +
#   a[\text{clip}(n - m)])$.
#
# A rotation of two numbers by the angle $\theta$ is $(a, b) \to (a \cos\theta - b \sin\theta,\; a
# \sin\theta + b \cos\theta)$. A head of H numbers has H/2 such pairs. Each turns at a speed of its
# own, like the hands of the last lesson.
#
# ## By hand
#
# **Rotary.** Let $q = k = (1, 0)$, with one pair that turns by 1 for each position. The query
# stands at 5, so it becomes $(\cos 5, \sin 5)$. The key at 3 becomes $(\cos 3, \sin 3)$. Their
# product is $\cos 5 \cos 3 + \sin 5 \sin 3 = \cos(5 - 3) = \cos 2 = -0.4161$. At 12 and 10 it is
# the same.
#
# **ALiBi.** Three keys with equal scores, at distances 2, 1 and 0, and a slope of 1/2. The
# penalties are 1, 0.5 and 0. The softmax of (−1, −0.5, 0) is (0.186, 0.307, 0.506): nearer keys
# weigh more.
#
# **T5.** A causal model with 32 buckets. The first 16 hold one distance each. The others grow with
# the logarithm, up to 128. Distances 1, 15, 16, 32, 64 and 127 fall into 1, 15, 16, 21, 26 and 31.
# For 32: half of the way from 16 to 128 in doublings is 1 of 3, so $16 + 16/3$, cut to 21.
#
# ## In code


# %%
def rotate(x, position, speed=1.0):
    a, b = x
    cos, sin = np.cos(position * speed), np.sin(position * speed)
    return np.array([a * cos - b * sin, a * sin + b * cos])


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def bucket(distance, buckets=32, furthest=128):
    exact = buckets // 2  # these hold one distance each
    if distance < exact:
        return distance
    doublings = np.log2(distance / exact) / np.log2(furthest / exact)
    return min(exact + int(doublings * (buckets - exact)), buckets - 1)


q = k = np.array([1.0, 0.0])
np.testing.assert_allclose(rotate(q, 5) @ rotate(k, 3), -0.4161, atol=5e-5)
np.testing.assert_allclose(rotate(q, 12) @ rotate(k, 10), -0.4161, atol=5e-5)

distances = np.array([2, 1, 0])
alibi_weights = softmax(-1 / 2 * distances)
assert list(1 / 2 * distances) == [1, 0.5, 0]
np.testing.assert_allclose(alibi_weights, [0.186, 0.307, 0.506], atol=1e-3)

assert [bucket(d) for d in (1, 15, 16, 32, 64, 127)] == [1, 15, 16, 21, 26, 31]
assert int(16 + 16 / 3) == 21
assert np.log2(128 / 16) == 3  # doublings from 16 to 128
assert 32 < 100 < 128  # a position that no training text has

# %% [markdown]
# ## In the library
#
# Each is a layer, and a name for `position=` of attention. The maths is in
# `keras_attention/ops/positions.py`: `rotate`, `alibi_slopes` and `relative_position_buckets`. The
# clipping of Shaw is in `keras_attention/layers/positions/shaw_relative_position.py`.

# %%
to_numpy = keras.ops.convert_to_numpy

same = np.tile(np.array([1.0, 0.0]), (1, 1, 13, 1))  # (B, N, T, H): (1, 0) at each position
turned = to_numpy(ka.layers.RotaryEmbedding()(same))[0, 0]  # (T, H)
np.testing.assert_allclose([turned[5] @ turned[3], turned[12] @ turned[10]], -0.4161, atol=5e-5)

penalties = to_numpy(ka.layers.ALiBi()(np.zeros((1, 8, 3, 3))))  # (B, N, T, S): 8 slopes
np.testing.assert_allclose(softmax(penalties[0, 0, 2]), alibi_weights, atol=1e-6)  # the first: 1/2

t5 = ka.layers.RelativePositionBias(num_buckets=32, max_distance=128, bidirectional=False)
t5.build((1, 1, 128, 128))
t5.table.assign(np.arange(32.0)[:, None])  # each bucket's bias is its own number
numbers = to_numpy(t5(np.zeros((1, 1, 128, 128))))[0, 0, 127, ::-1]  # by distance from the last
np.testing.assert_allclose(numbers[[1, 15, 16, 32, 64, 127]], [1, 15, 16, 21, 26, 31])

shaw = ka.layers.ShawRelativePosition(max_distance=2)
terms = to_numpy(shaw(np.ones((1, 1, 9, 4))))[0, 0, 8]  # of the last query: (S,)
np.testing.assert_allclose(terms[:7], terms[0], rtol=1e-6)  # all at 2 or more are one
assert terms[7] != terms[6]

# %% [markdown]
# ## Look
#
# A small causal model learns to name the token before the current one. It trains on texts of 32
# tokens. Then it reads texts of 128. Six models differ in their positions alone.

# %% mystnb={"image": {"alt": "Loss by place in a text of 128 tokens, six lines. Up to token 32 all are near zero. Beyond it learned, sinusoids, rotary and T5 jump above chance; ALiBi and Shaw stay near zero."}}
tokens, width, trained, steps = 16, 32, 32, 300


def make_texts(length, count, seed):
    x = np.random.default_rng(seed).integers(0, tokens, (count, length))
    return x, np.roll(x, 1, axis=1)  # the answer is the token before


def train(position, window=None):
    """Returns a model that has learned the task on texts of 32 tokens."""
    keras.utils.set_random_seed(0)
    ids = keras.Input((None,), dtype="int32")
    h = keras.layers.Embedding(tokens, width)(ids)  # (B, T, D)
    if isinstance(position, ka.layers.PositionalEncoding):  # added to tokens
        h, position = position(h), None
    for _ in range(2):
        h = ka.layers.TransformerBlock(4, 2 * width, causal=True, position=position, window=window)(
            h
        )
    h = keras.layers.LayerNormalization()(h)
    model = keras.Model(ids, keras.layers.Dense(tokens)(h))
    model.compile(
        keras.optimizers.Adam(ka.schedules.warmup_cosine(steps, peak=5e-3, warmup_steps=20)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(*make_texts(trained, 32 * steps, seed=1), batch_size=32, verbose=0)
    return model


def measure(model):
    """Returns the mean loss at tokens 0 to 15, 16 to 31, and so on up to 127."""
    x, y = make_texts(128, 64, seed=2)
    logits = model.predict(x, batch_size=64, verbose=0)  # (B, T, V)
    losses = to_numpy(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
    losses[:, 0] = losses[:, 1]  # the first token has none before it
    return losses.mean(axis=0).reshape(8, 16).mean(axis=1)


strategies = {
    "learned table": ka.layers.PositionalEncoding("learned", max_length=128),
    "sinusoids": ka.layers.PositionalEncoding(scale_inputs=True),
    "rotary": ka.layers.RotaryEmbedding(),
    "T5": ka.layers.RelativePositionBias(max_distance=128, bidirectional=False),
    "ALiBi": ka.layers.ALiBi(),
    "Shaw": ka.layers.ShawRelativePosition(max_distance=16),
}
losses = {name: measure(train(position)) for name, position in strategies.items()}

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
places = np.arange(8) * 16 + 8  # the middle of each 16
for i, (name, values) in enumerate(losses.items()):
    style = ["o-", "s-", "^-", "v-", "D--", "P--"][i]
    ax.plot(places, values, style, color=plt.get_cmap("viridis")(i / 6), label=name)
ax.axhline(np.log(tokens), color="grey", linestyle=":", label="chance")
ax.axvline(trained, color="black", linewidth=1)
ax.text(trained + 1, 7.8, "longer than trained", fontsize=9)
ax.set(xlabel="place in the text, in tokens", ylabel="loss", xticks=range(0, 129, 16))
ax.set_ylim(-0.4, 8.4)
figure.legend(ncols=4, loc="outside lower center")
ax.set_title("Only schemes that treat far as known go on: Shaw and ALiBi")
print({name: np.round(values, 2) for name, values in losses.items()})
for name, values in losses.items():
    assert values[:2].max() < 1, name  # all have learned it
    assert (values[-1] > 1) == (name not in ("ALiBi", "Shaw")), name

# %% [markdown]
# Each line is one model; lower is better. Left of the black line all know the task. Right of it
# four get lost. Three are soon worse than guessing: they are sure, and wrong. T5 fails more slowly.
#
# Not even every *relative* scheme goes on, and it is worth seeing why. A query at the end meets
# keys at distances that it never met in training.
#
# - **Shaw**'s clip makes all distances from 16 on one and the same, and training has seen that one.
# - **ALiBi**'s penalty keeps growing, so far keys vanish.
# - **Rotary** turns far keys by angles that were never seen, and a few of them look just like the
#   neighbour.
# - **T5** has buckets that no text of 32 tokens uses. They still hold random numbers near zero. No
#   single far key gets much, but there are more and more of them.
#
# ## Change
#
# Rotary can be saved without touching an angle: let each query see near keys alone. With a window
# of 16 it never meets a distance that it has not learned, however long the text is. Expect a window
# to help if it is shorter than the training texts, and to fail if it is longer.

# %%
window = 16  # CHANGE ME: try 64

windowed = measure(train(ka.layers.RotaryEmbedding(), window=window))
print(f"rotary's loss at the end: {losses['rotary'][-1]:.2f}, with a window {windowed[-1]:.2f}")
if window <= 32:
    assert windowed[-1] < 1 < losses["rotary"][-1]

# %% [markdown]
# The price of a window: nothing farther back can be read in one step.
#
# ## Mistakes
#
# - **Two layouts of rotary.** The paper pairs neighbours: channels 0 and 1, 2 and 3. Llama and
#   others pair channel i with channel i + H/2. Both work, but weights do not move from one to the
#   other. Use `interleaved=True` for the paper's.
# - **Values rotated too.** Only queries and keys turn. A rotated value tells its position to
#   everyone.
# - **Rotated twice**, or positions that begin at 0 again in each step of generation. The new token
#   must know how many came before it.
# - **"It has no limit, so it works at any length."** A rotary model has never seen the angles of
#   far distances. Stretching them helps: `scaling="linear"` or `"ntk"`.
#
# ## Exercises
#
# **1.** Rotate the query with one layout and the key with the other. Does their product still
# depend on the distance alone?

# %% tags=["hide-cell"]
# No: the pairs that turn together are not the same numbers any more.
rng = np.random.default_rng(0)
vectors = np.tile(rng.normal(size=(1, 1, 1, 8)), (1, 1, 13, 1))  # one vector at each position
halves = to_numpy(ka.layers.RotaryEmbedding()(vectors))[0, 0]
pairs = to_numpy(ka.layers.RotaryEmbedding(interleaved=True)(vectors))[0, 0]
for right in (halves, pairs):
    np.testing.assert_allclose(right[5] @ right[3], right[12] @ right[10], rtol=1e-4)
mixed = [halves[m] @ pairs[m - 2] for m in range(2, 13)]  # the distance is always 2
assert np.ptp(mixed) > 0.5

# %% [markdown]
# **2.** Halve the slope of ALiBi. At which distance does a key weigh half as much as the nearest
# one, before and after?

# %% tags=["hide-cell"]
# exp(-slope * distance) = 1/2 at distance ln 2 / slope: 1.39 before, 2.77 after. Half of the slope
# sees twice as far. That is why the heads have different slopes.
np.testing.assert_allclose([np.log(2) / 0.5, np.log(2) / 0.25], [1.39, 2.77], atol=5e-3)

# %% [markdown]
# **3.** Which distances cannot be told apart by the T5 bias above? Which ones share bucket 16?

# %% tags=["hide-cell"]
# Everything from 113 on is in the last bucket, 31. Bucket 16 holds the distances 16, 17 and 18.
assert [d for d in range(1000) if bucket(d) == 16] == [16, 17, 18]
assert min(d for d in range(1000) if bucket(d) == 31) == 113
assert bucket(500) == bucket(128) == 31

# %% [markdown]
# ## Limits and sources
#
# Our task needs the distance 1 alone, which every text has. Real texts need far words as well, and
# there all schemes get worse beyond their training length. ALiBi degrades least, partly because it
# hardly looks at far words at all. What works is to train at least briefly on long texts.
#
# - Su et al., 2021: [RoFormer](https://arxiv.org/abs/2104.09864), section 3.2.
# - Press et al., 2022: [Train short, test long](https://arxiv.org/abs/2108.12409), section 3.
# - Raffel et al., 2020: [T5](https://arxiv.org/abs/1910.10683), section 2.1.
# - Shaw et al., 2018: [Self-attention with relative position
#   representations](https://arxiv.org/abs/1803.02155), section 3.
# - On the layouts: [a question of many](https://github.com/EleutherAI/gpt-neox/issues/834).
#
# Next: [what holds a block together?](10_what_holds_a_block.py)
