"""Why divide by the root of d? A lesson as a notebook and as a program."""

# %% [markdown]
# # Why divide by the root of d?
#
# A dot product of longer vectors has larger values. Large scores make the softmax choose one key
# and stop learning, so attention divides them by $\sqrt d$, which keeps their size the same for
# every d.
#
# ## You need
#
# [What are query, key and value?](01_query_key_value.py) for scores and weights. Symbols:
#
# | symbol | meaning | shape |
# |---|---|---|
# | $Q$ | queries | (T, H) |
# | $K$ | keys | (S, H) |
# | $V$ | values | (S, H) |
# | $d$ or $d_k$ | how many numbers one query or one key has: H, the size of a head | one number |
#
# T counts the queries and S the keys. A **head** is one of several attentions side by side, which a
# [later lesson](06_why_several_heads.py) explains. Here there is one.
#
# The **variance** of some numbers is the mean of their squared distances from their mean. Its root
# is their typical size.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or "jax" or "tensorflow", before Keras

import itertools

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_attention as ka

# %% [markdown]
# ## The idea
#
# A new network knows nothing. Its queries and keys are random numbers of size one or so. What
# should its attention look like? Rather even: it has no reason yet to prefer a key, and it should
# stay easy to change.
#
# A dot product adds up d small products. Some are positive and some negative, so much of it
# cancels, but not all. The sum of d coin flips wanders about $\sqrt d$ away from zero. With d of
# 64, scores are typically 8 apart. The softmax sees a ratio of $e^8$, and one key gets nearly
# everything, by pure chance.
#
# That is bad for learning. Where the softmax is sure, its **slope** is nearly zero: move a score a
# little, and the weights stay. The gradient is multiplied by this slope on its way back, so queries
# and keys receive almost no signal.
#
# ## The equation
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d_k}}\right) V$$
#
# This is equation 1 of [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762). Their section
# 3.2.1 gives the reason in a footnote, which we now derive. Take a query and a key whose components
# are independent, with mean 0 and variance 1. Then
#
# $$\mathrm{Var}(q \cdot k) = \sum_{i=1}^{d} \mathrm{Var}(q_i k_i) = \sum_{i=1}^{d} 1 = d.$$
#
# Each product $q_i k_i$ has mean 0 and variance 1, and variances of independent numbers add. So the
# scores have the typical size $\sqrt d$. Divide by it, and their variance is 1 for every d.
#
# **Which d?** That of the vectors which are multiplied: the size of one head, not the width of the
# model. A model of width 512 with 8 heads divides by $\sqrt{64} = 8$.
#
# ## By hand
#
# Take d = 4, and let the query be (1, 1, 1, 1). A key made of four numbers ±1 has 16 possible
# forms. The scores are sums of four signs: one key gives −4, four give −2, six give 0, four give 2,
# one gives 4. The mean is 0. The variance is
#
# $$\frac{1 \cdot 16 + 4 \cdot 4 + 6 \cdot 0 + 4 \cdot 4 + 1 \cdot 16}{16}
# = \frac{64}{16} = 4 = d.$$
#
# Now let d = 16, and let two keys have scores that are $\sqrt{16} = 4$ apart, which is typical.
#
# | | gap | weight of the better key | slope |
# |---|---|---|---|
# | as it is | 4 | 0.9820 | 0.0177 |
# | divided by 4 | 1 | 0.7311 | 0.1966 |
#
# With two keys the weight is $w = 1 / (1 + e^{-\text{gap}})$, and its slope is $w (1 - w)$. The
# root makes the slope eleven times larger.
#
# ## In code

# %%
keys = np.array(list(itertools.product([-1, 1], repeat=4)))  # (16, d): all keys of four signs
scores = keys @ np.ones(4)  # (16,)
assert sorted(scores) == [-4] + 4 * [-2] + 6 * [0] + 4 * [2] + [4]
assert scores.mean() == 0
assert scores.var() == 64 / 16 == 4


def weight_and_slope(gap):
    weight = 1 / (1 + np.exp(-gap))  # of the better of two keys
    return weight, weight * (1 - weight)


np.testing.assert_allclose(weight_and_slope(4), [0.9820, 0.0177], atol=5e-5)
np.testing.assert_allclose(weight_and_slope(1), [0.7311, 0.1966], atol=5e-5)
assert round(0.1966 / 0.0177) == 11


def attention_weights(query, key, scale):
    scores = query @ key.swapaxes(-1, -2) * scale  # (..., T, S)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


query = np.ones((1, 16))  # (T, H): one query of d = 16
key = np.ones((2, 16))  # (S, H): two keys
key[1, :2] = -1  # two signs differ, so the scores are 16 and 12: 4 apart
unscaled = attention_weights(query, key, 1)[0, 0]
scaled = attention_weights(query, key, 1 / np.sqrt(16))[0, 0]
np.testing.assert_allclose([unscaled, scaled], [0.9820, 0.7311], atol=5e-5)

# %% [markdown]
# ## In the library
#
# The function `attention_weights` of `keras_attention/ops/attention.py` multiplies the query by
# `query.shape[-1] ** -0.5`, which is $1/\sqrt{H}$. Multiplying the T queries is cheaper than
# dividing T × S scores. The layers call it with two more axes: B, the texts of a batch, and N, the
# heads.

# %%
from keras_attention.ops import attention

to_numpy = keras.ops.convert_to_numpy
as_heads = {"query": query[None, None].astype("float32"), "key": key[None, None].astype("float32")}
weights = attention.attention_weights(  # (B, N, T, S)
    *[keras.ops.convert_to_tensor(x) for x in as_heads.values()]
)
np.testing.assert_allclose(to_numpy(weights)[0, 0, 0, 0], 0.7311, atol=5e-5)

layer = ka.layers.MultiHeadCrossAttention(num_heads=1, use_bias=False)
layer.build((1, 1, 16), (1, 2, 16))
layer.set_weights(4 * [np.eye(16)])  # the projections change nothing
_, weights = layer(as_heads["query"][0], as_heads["key"][0], return_attention_scores=True)
np.testing.assert_allclose(to_numpy(weights)[0, 0, 0, 0], 0.7311, atol=5e-5)

# %% [markdown]
# ## Look
#
# Eight random keys, many times over. How much does the best of them get? Even weights would give it
# 1/8, which is 0.125.

# %% mystnb={"image": {"alt": "Line chart of the largest of 8 weights against d from 4 to 1024. Unscaled climbs from about one half to nearly one. Scaled stays flat near 0.36. A dotted line marks one eighth."}}
rng = np.random.default_rng(0)
sizes = [4, 16, 64, 256, 1024]
largest = {"unscaled": [], "scaled": []}
for d in sizes:
    q, k = rng.normal(size=(2000, 1, d)), rng.normal(size=(2000, 8, d))
    largest["unscaled"].append(attention_weights(q, k, 1).max(axis=-1).mean())
    largest["scaled"].append(attention_weights(q, k, d**-0.5).max(axis=-1).mean())

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.plot(sizes, largest["unscaled"], "o-", color="#31446b", label="scores as they are")
ax.plot(sizes, largest["scaled"], "s--", color="#b8860b", label="scores divided by √d")
ax.axhline(1 / 8, color="grey", linestyle=":", label="even weights, 1/8")
ax.set(xscale="log", xlabel="d, size of queries and keys", ylabel="largest of 8 weights")
ax.set_xticks(sizes, sizes)
ax.set_ylim(0, 1.02)
ax.legend(loc="center right")
ax.set_title("Without the root, longer vectors leave one winner")
by_size = dict(zip(sizes, zip(largest["unscaled"], largest["scaled"], strict=True), strict=True))
np.testing.assert_allclose(by_size[4], [0.53, 0.34], atol=0.03)
np.testing.assert_allclose(by_size[64], [0.88, 0.36], atol=0.03)
np.testing.assert_allclose(by_size[1024], [0.97, 0.36], atol=0.03)
assert 1 / 8 == 0.125

# %% [markdown]
# Each point is a mean over 2000 random draws. The higher a point, the more one key takes of all.
# Unscaled, the winner's share climbs from 0.53 at d = 4 to 0.88 at 64 and 0.97 at 1024. Scaled, it
# stays near 0.36.
#
# ## Change
#
# Give the softmax a power of d of your own: scores are multiplied by $d^{-p}$. With p = 1/2 the
# variance is 1. Expect p = 0 to sharpen with d, and p = 1 to even out.

# %%
p = 0.5  # CHANGE ME: try 0, then 1

small, large = (
    attention_weights(rng.normal(size=(2000, 1, d)), rng.normal(size=(2000, 8, d)), d**-p)
    .max(axis=-1)
    .mean()
    for d in (4, 1024)
)
print(f"largest weight at d = 4: {small:.2f}, at d = 1024: {large:.2f}")
if p == 0.5:
    assert abs(large - small) < 0.06  # nearly the same at every size
else:
    assert (large > small) == (p < 0.5)

# %% [markdown]
# ## Mistakes
#
# - **The root of the model's width.** With 8 heads of 64, dividing by $\sqrt{512}$ makes scores too
#   small by a factor of 2.83. It trains, a bit flat at first, so nobody notices. Two programs with
#   the same weights then disagree.
# - **Scaled twice.** Once by your code and once by the layer or its fused kernel. The cell below
#   shows what happens to the winner of the table: 0.7311 becomes 0.5622.
# - **No scaling, but a smaller learning rate.** The softmax is still stuck. A small rate does not
#   bring the slope back.
# - **Forgetting it when weights move between models.** T5 was trained *without* the root. Its
#   starting weights are smaller instead. Pass `scale=1.0` for such a model.

# %%
twice = attention_weights(query, key, 1 / np.sqrt(16) / np.sqrt(16))[0, 0]
np.testing.assert_allclose(twice, 0.5622, atol=5e-5)
assert round(np.sqrt(512) / np.sqrt(64), 2) == 2.83
assert 512 / 8 == 64

# %% [markdown]
# ## Exercises
#
# **1.** Show that the variance of $q_i k_i$ is 1, if both have mean 0 and variance 1 and are
# independent. Then check the sum for d = 64 with random numbers.

# %% tags=["hide-cell"]
# The mean of the product is the product of the means: 0. So its variance is the mean of the square,
# E[q_i^2 k_i^2] = E[q_i^2] E[k_i^2] = 1 * 1. Adding 64 of them gives 64.
products = rng.normal(size=(20_000, 64)) * rng.normal(size=(20_000, 64))
np.testing.assert_allclose(products.var(), 1, atol=0.02)
np.testing.assert_allclose(products.sum(axis=-1).var(), 64, rtol=0.05)

# %% [markdown]
# **2.** A model has width 16 and 4 heads. Compute the weights of the two keys above in the first
# head with the right root, and with that of the width. The vectors of the first head are the first
# four numbers.

# %% tags=["hide-cell"]
# The head has d = 4, and its scores are 4 and 0. Right: a gap of 4 / 2 = 2. With the width's root
# the gap is 4 / 4 = 1, so attention is flatter than it should be.
head_query, head_key = query[:, :4], key[:, :4]
right = attention_weights(head_query, head_key, 1 / np.sqrt(4))[0, 0]
wrong = attention_weights(head_query, head_key, 1 / np.sqrt(16))[0, 0]
np.testing.assert_allclose([right, wrong], [0.8808, 0.7311], atol=5e-5)

# %% [markdown]
# **3.** Queries and keys of length 1, instead of random size, have scores between −1 and 1. Which
# scale do they need if 8 keys are to be told apart, larger or smaller than one?

# %% tags=["hide-cell"]
# Larger. Their variance is 1 / d, so the scores are too close together, and the best of 8 keys gets
# little more than 1/8. Models with normalised queries and keys multiply by a learned number.
d = 64
q, k = rng.normal(size=(2000, 1, d)), rng.normal(size=(2000, 8, d))
q, k = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (q, k))
flat, lively = (attention_weights(q, k, s).max(axis=-1).mean() for s in (1, np.sqrt(d)))
assert flat < 0.17 < 0.3 < lively

# %% [markdown]
# ## Limits and sources
#
# The argument is about the start of training. Later the network shapes queries and keys, and their
# scores may become as large as it likes; the root only makes this a choice. Some large models
# normalise queries and keys as well (`qk_norm=True` in the library), because scores grew too large
# late in training.
#
# - Vaswani et al., 2017: [Attention is all you need](https://arxiv.org/abs/1706.03762), section
#   3.2.1 and equation 1.
# - Raffel et al., 2020: [T5](https://arxiv.org/abs/1910.10683), a model without the root.
# - Dehghani et al., 2023: [Scaling vision transformers](https://arxiv.org/abs/2302.05442), which
#   normalises queries and keys.
#
# Next: [where do queries, keys and values come from?](05_where_qkv_come_from.py)
