# %% [markdown]
# # How to afford long texts?
#
# Attention compares each token with each other one, so twice the text costs four times the work.
# Windows and blocks look at fewer pairs; linear attention sums keys and values up before it asks.

# %% [markdown]
# ## You need
#
# [What does a mask do?](07_what_a_mask_does.py) and [why keep keys](13_cache.py).
#
# - $T$: tokens of a text; $H$: size of a head; $q_t, k_s, v_s$: query, key and value.
# - $w$: width of a window; $L$: number of layers.
# - $\phi$: a function with positive values, applied to each number of a vector.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or "jax" or "tensorflow", before Keras

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

import keras_attention as ka

# %% [markdown]
# ## The idea
#
# A text of 1000 tokens has a million pairs; a book of 100000 tokens has ten thousand million. Most
# of them hardly matter. There are two ways out.
#
# **Look at fewer pairs.** A *window* sees the last $w$ tokens only. *Block-sparse* attention sees
# the neighbours, and a few global tokens that see all and are seen by all. It is ordinary
# attention under a mask. The trick is to never compute what the mask hides. *Does a token then
# never hear of what is far away?* It does, in several steps: layer two reads tokens that have
# read their own neighbours in layer one.
#
# **Never look at pairs.** Softmax needs the score of a pair before it can do anything. Suppose
# the score were a plain product $\phi(q)\cdot\phi(k)$. Then we may first sum up
# $\phi(k_s) v_s^\top$ over all tokens, once, and let each query read the sum. No pair is ever
# formed. The price: the sum has a fixed size, so details of a long text get blurred.
#
# *Which one should I take?* Windows, if what matters is near, and a few layers are there to carry
# the rest. Blocks with global tokens, if one token must know all, as for a class. Linear attention,
# if the text has no end, as in a stream: its state never grows. And none of them, if the
# text is short enough.

# %% [markdown]
# ## The equation
#
# With a mask, attention sums over the set $S(t)$ of tokens that $t$ sees. In a causal window
# $S(t) = \{s : t - w < s \le t\}$. Big Bird (Zaheer et al., 2020,
# [arXiv 2007.14062](https://arxiv.org/abs/2007.14062), section 2) joins near, global and random
# blocks. Linear attention (Katharopoulos et al., 2020,
# [arXiv 2006.16236](https://arxiv.org/abs/2006.16236), equation 5) is
#
# $$o_t = \frac{\phi(q_t)^\top \sum_s \phi(k_s)\, v_s^\top}{\phi(q_t)^\top \sum_s \phi(k_s)}$$
#
# $$\phi(x) = \mathrm{elu}(x) + 1$$
#
# So $\phi(x)$ is $x+1$ for positive $x$ and $e^x$ for others (equation 7). In a causal model the
# sums run up to $t$: a state that each token adds to, as in a recurrent network.

# %% [markdown]
# ## By hand
#
# **Window.** $T=8$, $w=3$, causal. Token 1 sees 1, token 2 sees 2, the other six see 3 each: 21
# pairs. Without a window there are 36.
#
# **Blocks** of two tokens; each sees itself, one neighbour on each side, and the first block sees
# and is seen by all. With $T=16$ there are 8 blocks. The first row and the first column have 15
# pairs of blocks. The other 7 blocks see themselves and their neighbours among each other: 19.
# Together 34 pairs of blocks, so 136 pairs of tokens. Each further block adds 5 pairs of blocks.
# So $T=32$ has 296 pairs, and $T=64$ has 616: twice the text, about twice the work.
#
# **Linear.** $H=1$, $q=0$, keys 0 and 1, values 3 and 6. $\phi(0)=1$ and $\phi(1)=2$. The sums are
# $1\cdot3+2\cdot6=15$ and $1+2=3$. The output is $15/3=5$. (Softmax would give 4.5.)

# %%
assert 1 + 2 + 6 * 3 == 21
assert sum(range(1, 9)) == 36
pairs_of_blocks = {16: 15 + 19, 32: 15 + 19 + 8 * 5, 64: 15 + 19 + 24 * 5}
assert pairs_of_blocks[16] == 34
assert [4 * count for count in pairs_of_blocks.values()] == [136, 296, 616]
assert (1 * 3 + 2 * 6) / (1 + 2) == 15 / 3 == 5
assert np.mean([3, 6]) == 4.5
assert 1000**2 == 10**6
assert 100000**2 == 10**10

# %% [markdown]
# ## In code


# %%
def window(T, w):  # (T, T), causal
    t, s = np.indices((T, T))
    return (s <= t) & (s > t - w)


def blocks(T, size, near, leading):  # (T, T), both ways
    t, s = np.indices((T, T)) // size
    return (abs(t - s) <= near) | (np.minimum(t, s) < leading)


def attend(q, k, v, mask):  # (T, H) each, (T, T)
    scores = np.where(mask, q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def phi(x):
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def linear(q, k, v):  # all see all; no (T, T) anywhere
    state, total = phi(k).T @ v, phi(k).sum(axis=0)  # (H, H), (H,)
    return phi(q) @ state / (phi(q) @ total)[:, None]  # (T, H)


def linear_in_steps(q, k, v):  # causal, as a recurrent network
    state, total, rows = np.zeros((k.shape[1], v.shape[1])), np.zeros(k.shape[1]), []
    for query, key, value in zip(phi(q), phi(k), v, strict=True):
        state, total = state + np.outer(key, value), total + key
        rows.append(query @ state / (query @ total))
    return np.stack(rows)


assert window(8, 3).sum() == 21
assert [int(blocks(T, 2, 1, 1).sum()) for T in (16, 32, 64)] == [136, 296, 616]
by_hand = linear(np.array([[0.0]]), np.array([[0.0], [1.0]]), np.array([[3.0], [6.0]]))
np.testing.assert_allclose(by_hand, [[5]])

# %% [markdown]
# ## In the library
#
# All are settings of the same layer. The window's mask is `causal_mask` in
# `keras_attention/ops/masks.py`; blocks are `keras_attention/ops/block_sparse.py` (`Pattern`),
# linear attention is `keras_attention/ops/linear.py`. Projections are identities here, so that
# queries, keys and values are the tokens themselves.

# %%
rng = np.random.default_rng(0)
T, H = 16, 4
x = rng.normal(size=(T, H))  # (T, D), one head


def run(**settings):
    layer = ka.layers.MultiHeadSelfAttention(1, use_bias=False, **settings)
    layer.build((None, T, H))
    for kernel in layer.trainable_weights:
        if kernel.shape == (H, H):
            kernel.assign(np.eye(H))
    return ops.convert_to_numpy(layer(x[None].astype("float32")))[0]  # (T, D)


sparse = ka.layers.BlockSparseAttention(2, window_blocks=1, global_blocks=1, random_blocks=0)
close = dict(atol=1e-5, rtol=1e-4)
np.testing.assert_allclose(run(causal=True, window=3), attend(x, x, x, window(T, 3)), **close)
np.testing.assert_allclose(run(mechanism=sparse), attend(x, x, x, blocks(T, 2, 1, 1)), **close)
np.testing.assert_allclose(run(mechanism="linear"), linear(x, x, x), **close)
steps = linear_in_steps(x, x, x)
np.testing.assert_allclose(run(mechanism="linear", causal=True), steps, **close)

# %% [markdown]
# ## Look

# %% mystnb={"image": {"alt": "Three square masks: a full lower triangle, a narrow band below the diagonal, and a band of blocks with a full first block row and column. On the right, pairs by length: the full mask rises steeply, the other two and linear attention slowly."}}
figure, axes = plt.subplots(
    1, 4, figsize=(7, 2.7), width_ratios=(1, 1, 1, 1.5), layout="constrained"
)
patterns = {
    "all before": lambda T: np.tril(np.ones((T, T), bool)),
    "window of 3": lambda T: window(T, 3),
    "blocks of 2": lambda T: blocks(T, 2, 1, 1),
}
lengths = (16, 32, 64, 128, 256)
for ax, (name, mask), style in zip(axes, patterns.items(), ("-", "--", ":"), strict=False):
    ax.imshow(mask(32), cmap="cividis_r")
    ax.set(xticks=[], yticks=[], xlabel="key")
    ax.set_title(f"{name}\n{mask(32).sum()} pairs", fontsize=9)
    axes[3].plot(lengths, [mask(T).sum() for T in lengths], "k", ls=style, label=name)
axes[0].set_ylabel("query")
axes[3].set(xscale="log", yscale="log", xlabel="tokens")
axes[3].set_xticks([16, 64, 256], [16, 64, 256])
axes[3].minorticks_off()
axes[3].set_title("pairs by length", fontsize=9)
axes[3].legend(fontsize=8, frameon=False)
_ = figure.suptitle("Fewer pairs: the work grows with the text, not with its square")

# %% [markdown]
# A dark cell is a pair that is computed. On the right both axes are logarithmic: the steep line
# takes four times the pairs for twice the tokens, the others twice.

# %% [markdown]
# ## Change
#
# How far does a token see through $L$ layers of windows? One layer reaches $w-1$ tokens back, and
# each further layer the same again. So it should be $1 + L(w-1)$ tokens, itself included. We
# change one early token at a time and look whether the last output moves.

# %%
num_layers = 3  # CHANGE ME: try 1 or 5

keras.utils.set_random_seed(0)
tokens = keras.Input((None, 8))
h = tokens  # (B, T, D)
for _ in range(num_layers):
    h = ka.layers.TransformerBlock(2, 16, causal=True, window=3)(h)
model = keras.Model(tokens, h)
text = np.repeat(rng.normal(size=(1, 16, 8)), 17, axis=0).astype("float32")  # (B, T, D)
text[np.arange(16), np.arange(16), 0] += 1  # row i changes token i; the last row is as it was
last = ops.convert_to_numpy(model(text))[:, -1]  # (B, D)
reached = int((np.abs(last[:16] - last[16]).max(axis=1) > 1e-6).sum())
print("tokens that reach the last one:", reached)

# %%
assert reached == min(1 + num_layers * (3 - 1), 16)

# %% [markdown]
# ## Mistakes
#
# - **A mask on full attention.** It hides pairs and saves nothing: all scores are computed first.
#   The gain is in the code that skips them.
# - **A window, one layer, and a fact far back.** Count: $1+L(w-1)$ tokens, and no more.
# - **Off by one.** Does $w=3$ count the token itself? Here it does: itself and two before.
# - **Linear attention with scores from a trained softmax model.** The weights mean something else;
#   the model has to be trained that way.
# - **Too short texts.** For a few hundred tokens the plain kernel may be faster than all of
#   these. Measure.
# - **Padding on the left.** It must not shift the blocks. The library counts from the first token
#   that is no padding.

# %% [markdown]
# ## Exercises
#
# 1. Write the example by hand as a recurrence: what are the state and the total after each key?
# 2. Can linear attention look at one key alone? Take $H=1$ and try queries from -3 to 9.
# 3. A cache of a window keeps how many keys of a text of 100000 tokens? And of linear attention?

# %% tags=["hide-cell"]
# 1. The state is 3, then 15; the total 1, then 3.
state = np.cumsum(phi(np.array([0.0, 1.0])) * np.array([3, 6]))
total = np.cumsum(phi(np.array([0.0, 1.0])))
assert state.tolist() == [3, 15]
assert total.tolist() == [1, 3]

# %% tags=["hide-cell"]
# 2. No. With H = 1, phi(q) is above and below the line, so the query changes nothing at all.
# Softmax picks one key as the query grows. Larger H helps, within limits.
q = np.array([[-3.0], [0.0], [3.0], [9.0]])
k, v = np.array([[0.0], [1.0]]), np.array([[3.0], [6.0]])
np.testing.assert_allclose(linear(q, k, v), np.full((4, 1), 5.0))
assert attend(q, k, v, np.ones((4, 2), bool))[-1, 0] > 5.9

# %% tags=["hide-cell"]
# 3. The window keeps w keys. Linear attention keeps H * (H + 1) numbers for each head, whatever
# the length.
with ka.cache(max_length=T) as cache:
    layer = ka.layers.MultiHeadSelfAttention(1, causal=True, mechanism="linear")
    layer(x[None].astype("float32"))
assert window(100, 3)[-1].sum() == 3
sizes = [int(np.prod(t.shape)) for t in keras.tree.flatten(cache.state)]
assert sizes == [H * (H + 1)]

# %% [markdown]
# ## Limits and sources
#
# There is another way to afford long texts, and it changes no number: compute softmax attention
# tile by tile and never store the table (Dao et al., 2022). Memory is then linear, time is not.
# The library uses such kernels where the backend has them. Which saving is worth its loss depends
# on the task: linear attention is weak where a model has to find one exact fact.
#
# - Windows: Beltagy et al., 2020, [arXiv 2004.05150](https://arxiv.org/abs/2004.05150).
# - Blocks: Zaheer et al., 2020, [arXiv 2007.14062](https://arxiv.org/abs/2007.14062).
# - Linear: Katharopoulos et al., 2020, [arXiv 2006.16236](https://arxiv.org/abs/2006.16236).
# - Tiles: Dao et al., 2022, [arXiv 2205.14135](https://arxiv.org/abs/2205.14135).
#
# Next: [Why GATv2?](17_gatv2.py)
