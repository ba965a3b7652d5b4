"""How does a model know the order? A lesson as a notebook and as a program."""

# %% [markdown]
# # How does a model know the order?
#
# Attention alone does not: it reads a bag of words. So we add to each token a vector that says
# where it stands, made of sines and cosines or learned.
#
# ## You need
#
# [Where queries, keys and values come from](05_where_qkv_come_from.py), where shuffled tokens gave
# shuffled outputs. Symbols:
#
# | symbol | meaning | shape |
# |---|---|---|
# | $x$ | token vectors | (B, T, D) |
# | $p$ | position: 0 for the first token, then 1, 2, ... | one number |
# | $PE_p$ | the vector of position p | (D,) |
# | $i$ | number of a pair of channels, from 0 to D/2 − 1 | one number |
#
# A **channel** is one of the D numbers of a vector: the same place in the vectors of all tokens.

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
# "Dog bites man" and "man bites dog" have the same words. A recurrent network reads them one after
# the other, so it knows which came first. Attention compares all words with all words at once, and
# a sum over keys has no order.
#
# The simplest repair is to put the position into the token itself. How do we write a number p as a
# vector? The plain number grows without limit, and a late position would drown its word. A
# fraction, the position divided by the length, means another distance in each text: half way is
# word 2 here and word 200 there. One channel for each position cannot say that 7 is near to 8.
#
# Look at a clock instead. Its second hand turns fast, its hour hand slowly. A few hands name every
# moment of the day, none of them ever gets large, and a small step in time moves them a little.
# Sinusoids are such hands. Each pair of channels (sine, cosine) is one hand, and each turns more
# slowly than the one before.
#
# ## The equation
#
# $$PE_{p,\,2i} = \sin\left(\frac{p}{10000^{2i/D}}\right) \qquad
# PE_{p,\,2i+1} = \cos\left(\frac{p}{10000^{2i/D}}\right)$$
#
# From section 3.5 of [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762). Even channels are
# sines, odd ones cosines. The first hand turns by 1 for each position, so it needs $2\pi$, about
# six, for a full turn. The last ones take tens of thousands. The vector is **added**: $x_p + PE_p$.
#
# **Does adding not spoil the word?** It would, if words filled all directions of the space. But D
# is large, and training moves the words into directions that positions hardly use. Then one
# projection can read the word and another the position, out of the same sum. Exercise 2 compares
# adding with putting both side by side.
#
# **Why sine *and* cosine?** A sine alone has the same value twice in each turn, as a clock that
# shows only the height of its hand. The two together say where the hand points. And exercise 1
# needs both: only then is a step forward a rotation.
#
# ## By hand
#
# D = 4, so there are two hands. The first turns by 1 each step, the second by $1/10000^{2/4} =
# 1/100 = 0.01$.
#
# - $PE_0 = (\sin 0, \cos 0, \sin 0, \cos 0) = (0, 1, 0, 1)$.
# - $PE_1 = (\sin 1, \cos 1, \sin 0.01, \cos 0.01) = (0.8415, 0.5403, 0.0100, 1.0000)$, rounded.
#
# How alike are neighbours? Their dot product adds $\sin a \sin b + \cos a \cos b = \cos(a - b)$ for
# each hand. So only the *difference* counts: $PE_p \cdot PE_{p+1} = \cos 1 + \cos 0.01 = 1.5403$,
# for every p.
#
# ## In code


# %%
def sinusoids(positions, width):
    hands = np.arange(width // 2)  # i
    angles = positions[:, None] / 10000 ** (2 * hands / width)  # (T, D / 2)
    encoding = np.empty((len(positions), width))
    encoding[:, 0::2] = np.sin(angles)
    encoding[:, 1::2] = np.cos(angles)
    return encoding  # (T, D)


encoding = sinusoids(np.arange(8), 4)
np.testing.assert_allclose(1 / 10000 ** (2 / 4), 1 / 100)
assert 1 / 100 == 0.01
np.testing.assert_allclose(encoding[0], [0, 1, 0, 1])
np.testing.assert_allclose(encoding[1], [0.8415, 0.5403, 0.0100, 1.0000], atol=5e-5)
neighbours = (encoding[:-1] * encoding[1:]).sum(axis=-1)  # (T - 1,)
np.testing.assert_allclose(neighbours, 1.5403, atol=5e-5)
assert round(2 * np.pi) == 6
assert 200 / 400 == 2 / 4  # the same fraction of a text

# %% [markdown]
# ## In the library
#
# `PositionalEncoding` adds them: see `sinusoids` in `keras_attention/ops/positions.py`. Given
# zeros, it returns the encoding itself. With it, attention can tell who bit whom.

# %%
to_numpy = keras.ops.convert_to_numpy

layer = ka.layers.PositionalEncoding()
np.testing.assert_allclose(to_numpy(layer(np.zeros((1, 8, 4))))[0], encoding, atol=1e-6)

rng = np.random.default_rng(0)
dog, bites, man = rng.normal(size=(3, 16)).astype("float32")
sentences = np.stack([[dog, bites, man], [man, bites, dog]])  # (B, T, D)
attend = ka.layers.MultiHeadSelfAttention(num_heads=1)
bag = to_numpy(attend(sentences)).mean(axis=1)  # (B, D): the mean over the words
ordered = to_numpy(attend(ka.layers.PositionalEncoding()(sentences))).mean(axis=1)
np.testing.assert_allclose(bag[0], bag[1], atol=1e-5)  # the same: order was not seen
assert np.abs(ordered[0] - ordered[1]).max() > 1e-3  # now it is

# %% [markdown]
# ## Look

# %% mystnb={"image": {"alt": "Left, heatmap of 64 positions by 64 channels: fast stripes in the first channels, constant in the last. Right, dot product against distance from 0 to 30: three curves for three starts lie on each other and fall."}}
width = 64
table = sinusoids(np.arange(64), width)  # (T, D)
distances = np.arange(31)
curves = {start: table[start : start + 31] @ table[start] for start in (0, 15, 30)}

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.5), layout="constrained")
image = left.imshow(table, vmin=-1, vmax=1, cmap="cividis", aspect="auto")
left.set(xlabel="channel", ylabel="position", title="each row is one position")
figure.colorbar(image, ax=left)
for (start, curve), style in zip(curves.items(), ("-", "--", ":"), strict=True):
    right.plot(distances, curve, style, linewidth=2.5, label=f"from {start}")
right.set(xlabel="distance", ylabel="dot product", title="likeness by distance")
right.legend(title="position")
figure.suptitle("Near positions are alike, wherever they stand")
for curve in curves.values():
    np.testing.assert_allclose(curve, curves[0])
    assert curve[0] == curve.max()
np.testing.assert_allclose(curves[0][0], width / 2)  # 32 hands, cos 0 = 1 each
assert width / 2 == 32

# %% [markdown]
# Left: read a row as the clock's hands at one position; fast hands are on the left. Right: three
# curves lie on each other. A position is most like itself, with a dot product of 32, one for each
# hand, and less and less like those farther away.
#
# ## Change
#
# One may also *learn* a vector for each position: a table with a row for each, as in BERT and
# GPT-2. The table ends somewhere. Ours has four rows. Expect five tokens to fail.

# %%
length = 5  # CHANGE ME: try 4

learned = ka.layers.PositionalEncoding("learned", max_length=4)
try:
    learned(np.zeros((1, length, 8)))
    failed = False
except ValueError as error:
    failed = True
    print(error)
assert failed == (length > 4)
assert ka.layers.PositionalEncoding()(np.zeros((1, length, 8))).shape == (1, length, 8)

# %% [markdown]
# Sinusoids have no end. But that they can be computed for any position does not mean that a model
# understands them there. [Longer texts](09_longer_texts.py) is about that.
#
# ## Mistakes
#
# - **Adding to embeddings that are too small.** Embeddings are the vectors of a table of words. A
#   position vector has a length of $\sqrt{D/2}$. Fresh embeddings are often much smaller, and the
#   words drown. The paper multiplies embeddings by
#   $\sqrt D$ first (section 3.4); here that is `scale_inputs=True`.
# - **Positions in 16 bits.** In bfloat16, positions 256 and 257 are the same number. Compute angles
#   in 32 bits, and round the result.
# - **Padding on the left.** The first real word of a short text then has position 3, say, and not
#   0. The layer counts from the first word that the mask shows.
# - **Halves instead of pairs.** Some programs put all sines first, then all cosines. Both work, but
#   weights trained with one do not fit the other.

# %%
np.testing.assert_allclose(np.linalg.norm(table, axis=-1), np.sqrt(width / 2))
in_16_bits = to_numpy(
    keras.ops.cast(keras.ops.cast(keras.ops.convert_to_tensor([256, 257]), "bfloat16"), "float32")
)
assert in_16_bits[0] == in_16_bits[1]

padded = np.zeros((1, 5, 4), "float32")
mask = np.array([[False, False, False, True, True]])  # three of padding on the left
np.testing.assert_allclose(to_numpy(layer(padded, mask=mask))[0, 3:], encoding[:2], atol=1e-6)

# %% [markdown]
# ## Exercises
#
# **1.** Show that moving on by n positions is a rotation of each hand: a matrix that depends on n,
# but not on p, takes $PE_p$ to $PE_{p+n}$.

# %% tags=["hide-cell"]
# sin(a + b) = sin a cos b + cos a sin b, and cos(a + b) = cos a cos b - sin a sin b. For each hand
# that is the matrix [[cos b, sin b], [-sin b, cos b]] with b = n / 10000^(2i/D), whatever a is. So
# a linear layer can look n positions back. Rotary positions use just this.
n, move = 3, np.zeros((4, 4))
for hand in range(2):
    b = n / 10000 ** (2 * hand / 4)
    pair = slice(2 * hand, 2 * hand + 2)
    move[pair, pair] = [[np.cos(b), np.sin(b)], [-np.sin(b), np.cos(b)]]
np.testing.assert_allclose(encoding[:5] @ move.T, encoding[3:8], atol=1e-12)

# %% [markdown]
# **2.** Add or concatenate? Show that a projection of $x + PE$ is the same as one of $x$ and $PE$
# side by side, with a special kernel. What is saved, and what is lost?

# %% tags=["hide-cell"]
# (x + p) W = x W + p W = [x, p] [W; W]: the same kernel twice, one above the other. Side by side,
# the two kernels may differ, but every layer gets twice as wide. With addition the model must find
# directions of its own for words and for positions. In many dimensions there is room for both.
words, w = rng.normal(size=(8, 4)), rng.normal(size=(4, 5))
together = np.concatenate([words, encoding], axis=-1)  # (T, 2 D)
np.testing.assert_allclose((words + encoding) @ w, together @ np.concatenate([w, w]))

# %% [markdown]
# **3.** Is the order of three words seen if only the *queries* get positions, and not the keys and
# values? Try it.

# %% tags=["hide-cell"]
# No. Keys and values are then a bag. Each query knows where it stands itself, but it cannot ask for
# "the word before me", since no key knows where it is.
cross = ka.layers.MultiHeadCrossAttention(num_heads=1)
query = ka.layers.PositionalEncoding()(sentences[:1])
memory = sentences[:1]
once = to_numpy(cross(query, memory))
np.testing.assert_allclose(once, to_numpy(cross(query, memory[:, ::-1].copy())), atol=1e-5)

# %% [markdown]
# ## Limits and sources
#
# A causal mask gives a little order for free: the first token sees one key, the second two. So
# models without any positions can learn some order, if they are causal. The paper found learned and
# sinusoidal positions equally good on texts of the lengths that were trained.
#
# - Vaswani et al., 2017: [Attention is all you need](https://arxiv.org/abs/1706.03762), sections
#   3.4 and 3.5.
# - A question many ask: [why add
#   positions?](https://github.com/tensorflow/tensor2tensor/issues/1591)
#
# Next: [which positions survive longer texts?](09_longer_texts.py)
