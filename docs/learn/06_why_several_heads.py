"""Why several heads? A lesson as a notebook and as a program."""

# %% [markdown]
# # Why several heads?
#
# One softmax can give one answer for each word: a mean. Several heads ask several questions at
# once, each in its own part of the vector, and at nearly the same price.
#
# ## You need
#
# [Where queries, keys and values come from](05_where_qkv_come_from.py). Symbols:
#
# | symbol | meaning | shape |
# |---|---|---|
# | N | number of heads | one number |
# | H | size of one head, mostly D / N | one number |
# | $W_Q, W_K, W_V$ | projections for all heads together, head by head | (D, N·H) |
# | $W^O$ | the output matrix, which mixes the heads | (N·H, D) |
# | $A^{(i)}$ | weights of head i | (B, T, S) |

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or "jax" or "tensorflow", before Keras

import keras
import numpy as np

import keras_attention as ka

# %% [markdown]
# ## The idea
#
# A verb wants to know its subject *and* its object. With one head it has one row of weights, which
# add up to 1. It can give half to each, and then it gets the mean of both. Which half came from
# whom is lost: "dog bites man" and "man bites dog" have the same mean.
#
# Two heads have two rows of weights. One finds the subject, the other the object, and their results
# are written side by side. Nothing is mixed up.
#
# Must we pay twice for it? No. We cut the vector in N parts, and each head works with D / N
# numbers. There are N times as many scores, each from a product that is N times shorter.
#
# ## The equation
#
# $$\mathrm{MultiHead}(X) = \mathrm{Concat}(\mathrm{head}_1, \ldots, \mathrm{head}_N)\, W^O$$
#
# $$\mathrm{head}_i = \mathrm{softmax}\left(\frac{(X W_Q^{(i)}) (X W_K^{(i)})^\top}{\sqrt{H}}\right)
# X W_V^{(i)}$$
#
# From section 3.2.2 of [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762). The root is that
# of one head's size, H. $W_Q^{(i)}$ is a block of H columns of $W_Q$. And $W^O$ lets the model
# combine what the heads found: its first H rows belong to head 1, the next H to head 2.
#
# **Does a head see only a slice of the token?** No, though many think so. Its projection reads all
# D numbers of the token, and makes H of them. What is sliced is the *result* of the projection. So
# every head can ask about anything, but it must put its question into H numbers. In the example
# below the matrices are identities. Only for that reason head 1 gets the first number, and head 2
# the second.
#
# **Do heads talk to each other?** Not inside a layer. Each has its own softmax, and none sees what
# the others found. $W^O$ brings their results together, and the next layer can use them.
#
# ## By hand
#
# Three tokens of two numbers: (0, 2), (1, 1) and (2, 0). All matrices are identities and the scale
# is $\ln 2$, so a score of n counts $2^n$. We look at the token in the middle, (1, 1).
#
# **One head.** Its scores are $0 + 2 = 2$, $1 + 1 = 2$ and $2 + 0 = 2$. All equal, so the weights
# are 1/3 each. The output is the mean, (1, 1): nothing was learned about anything.
#
# **Two heads.** The first sees the first numbers alone: query 1, keys 0, 1, 2. The powers are 1, 2
# and 4, and the weights 1/7, 2/7, 4/7. Its output is $(0 + 2 + 8)/7 = 10/7$. The second head sees
# the second numbers: keys 2, 1, 0, so weights 4/7, 2/7, 1/7 and again 10/7. Side by side: (10/7,
# 10/7).
#
# Two heads found the large first number *and* the large second number, though no token has both. No
# single row of weights can do that: every mean of these tokens has a sum of 2, and $20/7$ is more.
#
# ## In code
#
# In practice we do not loop over heads. We reshape (B, T, N·H) into (B, N, T, H), and one matrix
# product serves all.


# %%
def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def split_heads(x, num_heads):
    batch, length, width = x.shape
    x = x.reshape(batch, length, num_heads, width // num_heads)  # (B, T, N, H)
    return x.transpose(0, 2, 1, 3)  # (B, N, T, H)


def merge_heads(x):
    batch, num_heads, length, size = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, length, num_heads * size)  # (B, T, N * H)


def multi_head(x, w_query, w_key, w_value, w_output, num_heads, scale):
    query, key, value = (split_heads(x @ w, num_heads) for w in (w_query, w_key, w_value))
    weights = softmax(query @ key.swapaxes(-1, -2) * scale)  # (B, N, T, T)
    heads = weights @ value  # (B, N, T, H)
    return merge_heads(heads) @ w_output, weights  # (B, T, D)


x = np.array([[[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]]])  # (B, T, D)
identities = 4 * [np.eye(2)]
one, _ = multi_head(x, *identities, num_heads=1, scale=np.log(2))
two, weights = multi_head(x, *identities, num_heads=2, scale=np.log(2))
np.testing.assert_allclose(one[0, 1], [1, 1])
np.testing.assert_allclose(two[0, 1], [10 / 7, 10 / 7])
np.testing.assert_allclose(weights[0, :, 1], [[1 / 7, 2 / 7, 4 / 7], [4 / 7, 2 / 7, 1 / 7]])
assert np.all(x.sum(axis=-1) == 2)
assert two[0, 1].sum() > 2.8  # 20/7, outside of every mean of the tokens
np.testing.assert_allclose(two[0, 1].sum(), 20 / 7)

# %% [markdown]
# ## In the library
#
# The layer keeps the same kernels, (D, N·H), head by head. See `_project` and `_attend` in
# `keras_attention/layers/attention/multi_head_attention.py`.

# %%
to_numpy = keras.ops.convert_to_numpy
for num_heads, expected in ((1, [1, 1]), (2, [10 / 7, 10 / 7])):
    layer = ka.layers.MultiHeadSelfAttention(num_heads, use_bias=False, scale=np.log(2))
    layer.build((1, 3, 2))
    layer.set_weights(identities)  # query, key, value, output
    output, layer_weights = layer(x, return_attention_scores=True)  # (B, T, D), (B, N, T, S)
    np.testing.assert_allclose(to_numpy(output)[0, 1], expected, rtol=1e-5)
    assert layer_weights.shape == (1, num_heads, 3, 3)
np.testing.assert_allclose(to_numpy(layer_weights), weights, rtol=1e-5)

# %% [markdown]
# ## Look
#
# Five words, and two heads that we set by hand. The first head lets the verb find its subject, the
# second its object. `ka.capture` records the weights of every layer that attends.

# %% mystnb={"image": {"alt": "Two heatmaps of five words. In head 1 the row of bites is bright at dog, in head 2 at man. All other rows are even."}}
words = ["the", "dog", "bites", "the", "man"]
#                  verb subject object
sentence = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1]], "float32")[None]
ask = np.array([[4, 4], [0, 0], [0, 0]], "float32")  # the verb asks in both heads
offer = np.array([[0, 0], [1, 0], [0, 1]], "float32")  # subjects to head 1, objects to head 2

reader = ka.layers.MultiHeadSelfAttention(2, head_dim=1, use_bias=False, name="reader")
reader.build((1, 5, 3))
reader.set_weights([ask, offer, offer, np.eye(2, 3)])
with ka.capture() as maps:
    reader(sentence)
figure = ka.explain.plots.attention_heads(
    maps, words, title="“bites” finds “dog” with one head and “man” with the other"
)
figure.set_size_inches(7, 4)
(recorded,) = maps.values()  # (B, N, T, S)
bites = np.asarray(to_numpy(recorded))[0, :, 2]
assert bites[0].argmax() == 1
assert bites[1].argmax() == 4
figure

# %% [markdown]
# One panel is one head, and both share one colour scale. A row is the word that asks, a column the
# word that is read. Find the row "bites": its bright cell is in another column in each panel.
#
# ## Change
#
# Does the number of a head mean anything? Swap two heads: their columns in $W_Q$, $W_K$ and $W_V$,
# and their rows in $W^O$. Expect the same output.

# %%
rng = np.random.default_rng(0)
heads, size, width = 4, 3, 12
kernels = [rng.normal(size=(width, width)) for _ in range(4)]
z = rng.normal(size=(1, 5, width))
order = [2, 0, 3, 1]  # CHANGE ME: any order of 0 to 3

columns = np.concatenate([np.arange(i * size, (i + 1) * size) for i in order])
shuffled = [kernels[0][:, columns], kernels[1][:, columns], kernels[2][:, columns]]
before, _ = multi_head(z, *kernels, num_heads=heads, scale=1)
after, _ = multi_head(z, *shuffled, kernels[3][columns], num_heads=heads, scale=1)
np.testing.assert_allclose(after, before)
if order != sorted(order):  # without the rows of the output matrix it is another function
    wrong, _ = multi_head(z, *shuffled, kernels[3], num_heads=heads, scale=1)
    assert np.abs(wrong - before).max() > 0.1

# %% [markdown]
# So "head 3 of layer 5" is a name, not a rank. In another training its work may be done elsewhere.
#
# ## Mistakes
#
# - **A reshape without a transpose.** (B, T, N·H) reshaped straight to (B, N, T, H) has the right
#   shape and the wrong content: it cuts *time* in pieces. It even trains. The cell below shows it.
# - **The root of D, not of H.** See [the root](04_why_the_root.py).
# - **Weights averaged over heads before they are shown.** The mean of two clear heads is one
#   blurred picture, in which "bites" reads both equally.
# - **More heads, always better?** With H = 1 a head compares single numbers. It can ask for "more"
#   or "less", but not for "the same". Common sizes are 32 to 128.

# %%
cut_wrong = z.reshape(1, heads, 5, size)
assert cut_wrong.shape == split_heads(z, heads).shape
assert not np.allclose(cut_wrong, split_heads(z, heads))
common_sizes = range(32, 128 + 1)
blurred = bites.mean(axis=0)
np.testing.assert_allclose(blurred[1], blurred[4], rtol=1e-5)

# %% [markdown]
# ## Exercises
#
# **1.** Count the weights of self-attention with D = 12, without biases: with one head, with 4, and
# with 12. What does change with the number of heads?

# %% tags=["hide-cell"]
# Always four matrices of 12 x 12, 576 in all, because N * H = D. What grows is the number of
# scores, N x T x S, and their memory.
for n in (1, 4, 12):
    layer = ka.layers.MultiHeadSelfAttention(n, use_bias=False)
    layer.build((None, None, 12))
    assert layer.count_params() == 4 * 12 * 12 == 576

# %% [markdown]
# **2.** Remove one head after the other from the reader of "dog bites man": set its rows of $W^O$
# to zero. What does the verb lose each time?

# %% tags=["hide-cell"]
# The output has one number of each head. Without head 1 the verb no longer knows its subject; the
# object is as it was. Heads that can be removed without harm are common in trained models.
full = to_numpy(reader(sentence))[0, 2]  # (D,) of "bites"
for head in range(2):
    cut = np.eye(2, 3)
    cut[head] = 0
    reader.set_weights([ask, offer, offer, cut])
    rest = to_numpy(reader(sentence))[0, 2]
    assert full[head] > 0.9
    assert rest[head] == 0
    np.testing.assert_allclose(rest[1 - head], full[1 - head], rtol=1e-5)
reader.set_weights([ask, offer, offer, np.eye(2, 3)])

# %% [markdown]
# **3.** Write the output as a *sum* over heads instead of a concatenation.

# %% tags=["hide-cell"]
# Concat(h_1, ..., h_N) W^O = h_1 W^O_1 + ... + h_N W^O_N, with the blocks of rows of W^O. Each head
# adds its own message to the token.
_, a = multi_head(z, *kernels, num_heads=heads, scale=1)
head_outputs = a @ split_heads(z @ kernels[2], heads)  # (B, N, T, H)
blocks = kernels[3].reshape(heads, size, width)  # (N, H, D)
np.testing.assert_allclose((head_outputs @ blocks).sum(axis=1), before)

# %% [markdown]
# ## Limits and sources
#
# Nothing makes heads different but their random start. After training, many do much the same, and
# [Michel et al., 2019](https://arxiv.org/abs/1905.10650) removed most of them from some layers with
# little loss. Heads also need memory for keys and values when text is written. A later lesson
# shares keys between heads for that reason.
#
# - Vaswani et al., 2017: [Attention is all you need](https://arxiv.org/abs/1706.03762), section
#   3.2.2.
# - Voita et al., 2019: [Analyzing multi-head self-attention](https://arxiv.org/abs/1905.09418),
#   which found out what single heads do.
#
# Next: [what does a mask do?](07_what_a_mask_does.py)
