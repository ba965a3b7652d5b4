"""What does a mask do? A lesson as a notebook and as a program."""

# %% [markdown]
# # What does a mask do?
#
# A mask says which keys a query may see. Hidden keys get a weight of exactly zero, and the others
# share the whole, as if the hidden ones were not there.
#
# ## You need
#
# [Where queries, keys and values come from](05_where_qkv_come_from.py). Symbols:
#
# | symbol | meaning | shape |
# |---|---|---|
# | $s$ | scores of T queries with S keys | (B, N, T, S) |
# | $m$ | the mask: 1 or True means **may see**, 0 or False means hidden | (B, N, T, S) |
# | padding mask | which tokens of a text are real | (B, S) |
# | causal mask | which keys are not after the query | (T, S) |
#
# In NumPy a shape may have a 1 where all entries share one value. So a padding mask becomes (B, 1,
# 1, S), the same for all heads and queries.

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
# There are two reasons to hide a key.
#
# **It is not real.** Texts in a batch have different lengths, but an array is a rectangle. So short
# texts are filled up with a token that means nothing, the *padding*. If attention sees it, the
# answer for a text depends on how long its neighbours in the batch are.
#
# **It is the answer.** A model that writes text learns to predict the next word. All words of a
# training text are in its input, the next one too. If word 3 may read word 4, there is nothing left
# to learn.
#
# Which mask is needed where? A model that reads a whole text, such as a classifier, needs the
# padding mask alone. A model that writes needs the causal one, and the padding one too if its texts
# differ in length. In cross-attention the mask is that of the memory: the reader may look anywhere
# in it, but not at its padding.
#
# Just setting hidden weights to zero *after* the softmax is not enough. They have already taken
# their share, and what is left no longer adds up to 1. The mask must come in before.
#
# ## The equation
#
# $$A = \mathrm{softmax}(s + \ln m)$$
#
# In words: where $m = 1$ we add $\ln 1 = 0$, which changes nothing. Where $m = 0$ we add $\ln 0 =
# -\infty$, and $e^{-\infty} = 0$. [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), section
# 3.2.3, say it so: set to $-\infty$ what must not be seen. Several masks are combined with "and": a
# key is seen if every mask allows it.
#
# ## By hand
#
# Four keys with equal scores; keys 3 and 4 are padding. The exponentials are 1, 1, 0, 0, so the
# weights are (1/2, 1/2, 0, 0).
#
# Now a query that may see **nothing**. All exponentials are 0, and the formula says 0/0. What comes
# out depends on the program:
#
# | how the mask is written | weights |
# |---|---|
# | add $-\infty$ | not a number (NaN), four times |
# | add $-10^9$ | 1/4 each: it reads all the padding |
# | this library | 0, 0, 0, 0: it reads nothing |
#
# And a last trap. Some programs add only −10000, a number that fits in 16 bits. Take the scores
# −20000 and 0, and hide the second key. After adding, the scores are −20000 and −10000. The second
# still wins: the weights are (0, 1), and the hidden key has it all.
#
# ## In code


# %%
def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def masked_softmax(scores, mask):
    hidden = np.where(mask, scores, -1e30)  # finite, so that no row has only infinities
    return np.where(mask, softmax(hidden), 0.0)  # rows that see nothing become zeros


def causal_mask(length, window=None):
    distance = np.arange(length)[:, None] - np.arange(length)  # query minus key: (T, S)
    mask = distance >= 0
    return mask if window is None else mask & (distance < window)


padding = np.array([True, True, False, False])  # (S,)
nothing = np.zeros(4, bool)
equal = np.zeros(4)  # four equal scores
np.testing.assert_allclose(masked_softmax(equal, padding), [1 / 2, 1 / 2, 0, 0])
np.testing.assert_allclose(masked_softmax(equal, nothing), [0, 0, 0, 0])
np.testing.assert_allclose(softmax(equal - 1e9), [1 / 4, 1 / 4, 1 / 4, 1 / 4])  # 10 ** 9
with np.errstate(all="ignore"):
    assert np.isnan(softmax(np.full(4, -np.inf))).all()
leak = softmax(np.array([-20000.0, 0 - 10000.0]))
np.testing.assert_allclose(leak, [0, 1])
np.testing.assert_allclose(masked_softmax(np.array([-20000.0, 0]), [True, False]), [1, 0])

# %% [markdown]
# The last line is the cure: *replace* a hidden score, and do not add to it.
#
# ## In the library
#
# All attention of the library goes through `masked_softmax` of `keras_attention/ops/attention.py`.
# Masks are made and combined in `keras_attention/ops/masks.py`. Layers take the padding mask as
# `mask`, any other mask as `attention_mask`, and have `causal=True`.

# %%
from keras_attention.ops import attention

to_numpy = keras.ops.convert_to_numpy
for mask, expected in ((padding, [1 / 2, 1 / 2, 0, 0]), (nothing, [0, 0, 0, 0])):
    weights = attention.masked_softmax(
        keras.ops.zeros((1, 4)), keras.ops.convert_to_tensor(mask[None])
    )
    np.testing.assert_allclose(to_numpy(weights)[0], expected)

layer = ka.layers.MultiHeadSelfAttention(num_heads=1, use_bias=False, causal=True)
layer.build((1, 4, 2))
layer.set_weights(4 * [np.eye(2)])
x = np.random.default_rng(0).normal(size=(1, 4, 2)).astype("float32")  # (B, T, D)
output, weights = layer(x, mask=padding[None], return_attention_scores=True)
scores = x @ x.swapaxes(1, 2) / np.sqrt(2)  # (B, T, S)
both = causal_mask(4) & padding[None, :] & padding[:, None]  # (T, S)
np.testing.assert_allclose(to_numpy(weights)[:, 0], masked_softmax(scores, both), atol=1e-6)
np.testing.assert_allclose(to_numpy(output)[0, 0], x[0, 0], atol=1e-6)  # it sees itself alone

# %% [markdown]
# A padded *query* is hidden as well: its row is zero, so nothing of it gets into the model.
#
# ## Look

# %% mystnb={"image": {"alt": "Top row: four masks of six by six, white where seen. Padding hides the last two columns, causal the upper triangle, the window leaves a band, packed leaves two blocks. Bottom row: weights, zero where hidden."}}
length = 6
document = np.array([0, 0, 0, 1, 1, 1])  # two texts in one row
masks = {
    "padding": np.broadcast_to(np.arange(length) < 4, (length, length)),
    "causal": causal_mask(length),
    "causal,\nwindow of 3": causal_mask(length, window=3),
    "two texts,\ncausal": causal_mask(length) & (document[:, None] == document),
}
scores = np.random.default_rng(1).normal(size=(length, length))
figure, axes = plt.subplots(2, 4, figsize=(7, 4.2), sharex=True, sharey=True, layout="constrained")
for column, (name, mask) in zip(axes.T, masks.items(), strict=True):
    weights = masked_softmax(scores, mask)
    column[0].imshow(mask, vmin=0, vmax=1, cmap="gray")
    image = column[1].imshow(weights, vmin=0, vmax=1, cmap="viridis")
    column[0].set_title(name, fontsize=10)
    assert np.all(weights[~mask] == 0)
    np.testing.assert_allclose(weights.sum(axis=-1), 1)
axes[0, 0].set_ylabel("mask\n(query)")
axes[1, 0].set_ylabel("weights\n(query)")
figure.supxlabel("key", fontsize=10)
figure.colorbar(image, ax=axes, label="weight", shrink=0.6)
figure.suptitle("What is black above has no weight below")

# %% [markdown]
# Above, white cells may be seen. Below are the weights of the same random scores; every row adds up
# to 1. The first row of each causal picture can see itself alone, so it has a weight of 1 there.
#
# ## Change
#
# Hidden means hidden: whatever stands in the padding must not matter. Put something awful in it.
# Expect the same output for the real tokens. Zero weights are not enough for this, since $0 \cdot
# \text{NaN}$ is NaN. The layer clears masked inputs first.

# %%
garbage = np.nan  # CHANGE ME: try 1e30, or np.inf

dirty = x.copy()
dirty[0, 2:] = garbage
dirty_output = to_numpy(layer(dirty, mask=padding[None]))
print(dirty_output[0].round(3))
np.testing.assert_allclose(dirty_output, to_numpy(output), atol=1e-6)
assert np.isnan(0 * np.nan)

# %% [markdown]
# ## Mistakes
#
# - **True means the opposite elsewhere.** Here and in Keras, True is "may see". So it is in
#   PyTorch's `scaled_dot_product_attention`. But in PyTorch's `nn.MultiheadAttention` True is "may
#   *not* see". Symptom of a mask upside down: training loss falls to nearly zero, and generated
#   text is noise.
# - **A mask of the wrong shape that fits by luck.** A padding mask (B, S) given where (T, S) is
#   expected works if B = T. Each sequence then uses the padding of others. Use (B, 1, 1, S).
# - **Zeroed after the softmax.** Rows add up to less than 1, and padding still dilutes everything.
# - **Lost on the way.** Keras carries a padding mask along with its tensor, but `h * 2` drops it.
#   Nothing is said. Compare a text alone with the same text beside a longer one.
# - **Padding on the left of a causal model.** The first rows then see nothing at all. With
#   $-\infty$ they are NaN, and NaN spreads to everything.

# %%
late = np.where(padding, softmax(equal), 0)  # zeroed after the softmax
np.testing.assert_allclose(late.sum(), 1 / 2)
left = causal_mask(4) & np.array([False, True, True, True])  # padded on the left
assert not left[0].any()

# %% [markdown]
# ## Exercises
#
# **1.** Invert the padding mask of the example by hand. What are the weights? Invert the causal
# mask of four tokens too. Which row sees nothing?

# %% tags=["hide-cell"]
# The padding takes all: (0, 0, 1/2, 1/2). An inverted causal mask shows only the future, and the
# last token has none.
np.testing.assert_allclose(masked_softmax(equal, ~padding), [0, 0, 1 / 2, 1 / 2])
future = masked_softmax(np.zeros((4, 4)), ~causal_mask(4))
np.testing.assert_allclose(future[-1], 0)
np.testing.assert_allclose(future[:-1].sum(axis=-1), 1)

# %% [markdown]
# **2.** Combine causal and padding masks for four tokens, the last of which is padding. How many of
# the 16 pairs of query and key are left, if padded queries are hidden too?

# %% tags=["hide-cell"]
# "And" them. Of 16 pairs a causal mask leaves 1 + 2 + 3 + 4 = 10. The padded token is only seen by
# itself, and it sees 4, so hiding it as query and as key leaves 6.
real = np.array([True, True, True, False])
assert causal_mask(4).size == 16
assert causal_mask(4).sum() == 10
assert (causal_mask(4) & real & real[:, None]).sum() == 6

# %% [markdown]
# **3.** Two texts of three tokens share one row, to waste no padding. Write the mask that keeps
# them apart, and give it to the layer.

# %% tags=["hide-cell"]
# Tokens see each other if they belong to the same text. The causal layer adds its own mask.
same = document[:, None] == document[None, :]  # (T, T)
tokens = np.random.default_rng(2).normal(size=(1, 6, 2)).astype("float32")
packed = to_numpy(layer(tokens, attention_mask=same[None]))
apart = [to_numpy(layer(part)) for part in (tokens[:, :3], tokens[:, 3:])]
np.testing.assert_allclose(packed, np.concatenate(apart, axis=1), atol=1e-6)

# %% [markdown]
# ## Limits and sources
#
# A mask hides keys from queries, but it saves no work by itself: most programs compute the score
# and throw it away. And a mask in attention alone is not all. A mean over the text, or a loss over
# its tokens, must leave out padding too.
#
# - Vaswani et al., 2017: [Attention is all you need](https://arxiv.org/abs/1706.03762), section
#   3.2.3.
# - Learners' reports of these traps: [does True mean
#   "see"?](https://github.com/lucidrains/x-transformers/issues/164), [finite masks
#   leak](https://github.com/karpathy/minGPT/issues/75), and [rows without keys are
#   NaN](https://github.com/pytorch/pytorch/pull/131060).
#
# Next: [how does a model know the order?](08_how_order_enters.py)
