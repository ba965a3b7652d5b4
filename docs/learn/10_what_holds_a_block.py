"""What holds a transformer block together? A lesson as a notebook and as a program."""

# %% [markdown]
# # What holds a transformer block together?
#
# Two things that learn, attention and a small network, and two that keep them alive: the residual
# path and the norm. Whether the norm stands before or after decides if a deep stack trains at once.
#
# ## You need
#
# [Why several heads?](06_why_several_heads.py) for the attention inside. Symbols:
#
# | symbol | meaning | shape |
# |---|---|---|
# | $x$ | tokens on their way through the model | (B, T, D) |
# | $f$ | a **sub-layer**: attention, or the feed-forward network | (B, T, D) to (B, T, D) |
# | LN | layer norm: shift and scale the D numbers of a token to mean 0 and variance 1 | same |
# | L | number of blocks, the depth | one number |

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
# Attention only takes means of values. It moves information between tokens, but makes little that
# is new. So a second sub-layer works on each token alone: the **feed-forward network**, two
# matrices with a bend between them. Attention gathers, the network thinks, and this repeats L
# times.
#
# Stack many of these and two things go wrong. Each sub-layer mixes up what came in, so the input is
# soon forgotten, and the gradient has a long way back. And numbers grow or shrink a little each
# time. Twelve times 1.5 makes a factor of 130.
#
# The **residual** path answers the first: do not replace x, *add* to it, $x + f(x)$. A sub-layer
# that has nothing to say adds zero. The gradient of a sum flows through both parts, so one way back
# is always free. The **layer norm** answers the second: it brings each token to one size.
#
# ## The equation
#
# $$\text{post-norm:}\quad x' = \mathrm{LN}(x + f(x)) \qquad\qquad
# \text{pre-norm:}\quad x' = x + f(\mathrm{LN}(x))$$
#
# Post-norm is the original, [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), section 3.1.
# Pre-norm is compared with it in [Xiong et al., 2020](https://arxiv.org/abs/2002.04745), table 1.
# Look at x in both. In pre-norm nothing stands in its way: from the first block to the last it is
# only added to. In post-norm each norm rescales it, 2L times in all.
#
# Why a norm of each *token*, and not of the batch, as in networks for images? Texts differ in
# length, and a token's answer should not depend on what else is in the batch. A layer norm looks at
# one token and nothing else. After it come a learned scale and shift for each channel, which start
# at 1 and 0. We leave them out.
#
# The feed-forward network is $\max(0, x W_1 + b_1) W_2 + b_2$ (Vaswani, equation 2). Its middle is
# often four times as wide as D. It is the same network for all tokens, applied to each of them:
# tokens meet in attention alone. Without the bend the two matrices would be one, and nothing
# gained.
#
# ## By hand
#
# One token, x = (1, 3), and a sub-layer that doubles, f(z) = 2z. The norm of two numbers is simple:
# the smaller becomes −1, the larger 1.
#
# - **Post-norm.** x + f(x) = (1, 3) + (2, 6) = (3, 9). Mean 6, distance 3. The norm gives (−1, 1).
# - **Pre-norm.** LN(x) = (−1, 1). Doubled: (−2, 2). Added to x: (1 − 2, 3 + 2) = (−1, 5).
#
# Post-norm forgot how large x was. Pre-norm still contains it: take (−2, 2) away, and there it is.
#
# ## In code
#
# A whole block, in both orders. The bend is a ReLU, `max(0, x)`.

# %%
assert round(1.5**12) == 130  # twelve times


def layer_norm(x, epsilon=1e-5):
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon)  # of each token alone


def attend(x, w_query, w_key, w_value, w_output):
    query, key, value = x @ w_query, x @ w_key, x @ w_value  # (B, T, D): one head
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])  # (B, T, T)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return weights @ value @ w_output  # (B, T, D)


def feed_forward(x, w_1, w_2):
    return np.maximum(0, x @ w_1) @ w_2  # (B, T, D) to (B, T, 4 D) and back


def block(x, attention, network, norm_first):
    for sublayer, kernels in ((attend, attention), (feed_forward, network)):
        if norm_first:
            x = x + sublayer(layer_norm(x), *kernels)
        else:
            x = layer_norm(x + sublayer(x, *kernels))
    return x  # (B, T, D)


token = np.array([[[1.0, 3.0]]])  # (B, T, D)
doubling = [np.eye(2), np.eye(2), np.eye(2), 2 * np.eye(2)]  # one token attends to itself
silent = [np.zeros((2, 8)), np.zeros((8, 2))]  # a network that adds nothing
post = block(token, doubling, silent, norm_first=False)
pre = block(token, doubling, silent, norm_first=True)
np.testing.assert_allclose(post[0, 0], [-1, 1], atol=1e-4)
np.testing.assert_allclose(pre[0, 0], [-1, 5], atol=1e-4)

# %% [markdown]
# ## In the library
#
# `TransformerBlock` has both, by `norm_first`. The choice is one line in `_residual` of
# `keras_attention/layers/blocks/transformer_block.py`. We compare it by hand, and then with random
# weights.

# %%
to_numpy = keras.ops.convert_to_numpy


def library_block(x, attention, network, norm_first):
    layer = ka.layers.TransformerBlock(
        1, network[0].shape[1], activation="relu", norm_first=norm_first, use_bias=False
    )
    layer.build(x.shape)
    layer.attention.set_weights(attention)
    layer.feed_forward.set_weights(network)
    return to_numpy(layer(x))


np.testing.assert_allclose(
    library_block(token, doubling, silent, norm_first=False)[0, 0], [-1, 1], atol=1e-4
)
np.testing.assert_allclose(
    library_block(token, doubling, silent, norm_first=True)[0, 0], [-1, 5], atol=1e-4
)
rng = np.random.default_rng(0)
x = rng.normal(size=(2, 5, 4))
attention, network = rng.normal(size=(4, 4, 4)), [rng.normal(size=s) for s in ((4, 16), (16, 4))]
for norm_first in (True, False):
    np.testing.assert_allclose(
        library_block(x, attention, network, norm_first),
        block(x, attention, network, norm_first),
        rtol=1e-3,
        atol=1e-3,
    )

# %% [markdown]
# ## Look
#
# A stack of twelve blocks that has not learned yet. Which blocks hear the teacher? We take one step
# of plain gradient descent with a rate of 1. It moves each weight by its gradient, so the
# difference of before and after *is* the gradient. The task: read eight tokens, and name them in
# reverse.

# %% mystnb={"image": {"alt": "Size of the gradient by block, 1 to 12, for post-norm and pre-norm. The line of pre-norm falls from the first blocks to the last. That of post-norm does not fall as much, or rises."}}
tokens, length, width = 16, 8, 32


def make_model(layers, norm_first):
    ids = keras.Input((length,), dtype="int32")
    h = keras.layers.Embedding(tokens, width)(ids)
    h = ka.layers.PositionalEncoding(scale_inputs=True)(h)  # (B, T, D)
    for i in range(layers):
        h = ka.layers.TransformerBlock(4, 2 * width, norm_first=norm_first, name=f"block_{i}")(h)
    if norm_first:
        h = keras.layers.LayerNormalization()(h)
    return keras.Model(ids, keras.layers.Dense(tokens)(h))


def make_batches(steps, batch_size=32):
    ids = np.random.default_rng(1).integers(0, tokens, (steps, batch_size, length))
    return zip(ids, ids[:, :, ::-1], strict=True)


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
gradients = {}
for name, norm_first in (("post-norm", False), ("pre-norm", True)):
    keras.utils.set_random_seed(0)
    model = make_model(12, norm_first)
    kernels = [model.get_layer(f"block_{i}").feed_forward.output_kernel for i in range(12)]
    before = [to_numpy(kernel) for kernel in kernels]
    model.compile(keras.optimizers.SGD(1.0), loss)
    model.train_on_batch(*next(make_batches(1)))
    gradients[name] = [
        np.linalg.norm(to_numpy(kernel) - old) for kernel, old in zip(kernels, before, strict=True)
    ]

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
blocks = np.arange(1, 13)
ax.plot(blocks, gradients["post-norm"], "o-", color="#31446b", label="post-norm")
ax.plot(blocks, gradients["pre-norm"], "s--", color="#b8860b", label="pre-norm")
ax.set(xlabel="block, from the input to the output", ylabel="size of the gradient", ylim=(0, None))
ax.set_xticks(blocks)
ax.legend()
ax.set_title("Only pre-norm lets the first blocks hear the most")
rise = {name: np.mean(g[8:]) / np.mean(g[:4]) for name, g in gradients.items()}  # last to first
assert rise["pre-norm"] < 0.8
assert rise["post-norm"] > 1.3 * rise["pre-norm"]

# %% [markdown]
# Each point is one block; higher means a larger gradient. Compare the two ends of each line. In
# pre-norm the free path takes the gradient to the first blocks undiminished, and the last ones add
# to a sum that has grown. In post-norm every norm on the way back rescales it, and the first blocks
# have no such advantage. Other seeds give other curves, but this difference stays.
#
# ## Change
#
# Now train both for a moment with Adam, at full speed from the first step. Expect the deep
# post-norm stack to stay near chance, which is $\ln 16 = 2.77$, while pre-norm learns.

# %%
layers = 12  # CHANGE ME: try 2

losses = {}
for name, norm_first in (("post-norm", False), ("pre-norm", True)):
    keras.utils.set_random_seed(0)
    model = make_model(layers, norm_first)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    for ids, reverse in make_batches(150):
        model.train_on_batch(ids, reverse)
    ids, reverse = next(make_batches(1, batch_size=256))
    losses[name] = float(model.test_on_batch(ids, reverse))
print({name: round(value, 2) for name, value in losses.items()})
assert round(np.log(16), 2) == 2.77
if layers == 12:
    assert losses["post-norm"] > losses["pre-norm"] + 0.5

# %% [markdown]
# After so few steps post-norm has learned next to nothing, while pre-norm is on its way. With two
# blocks both learn. So it is the depth, and not the norm alone. The remedy for post-norm is a slow
# start: [why warmup?](11_why_warmup.py)
#
# ## Mistakes
#
# - **No final norm after pre-norm blocks.** The residual path adds up L contributions, so x grows
#   with depth. The output layer then sees numbers of any size.
# - **The norm over the wrong axis.** It belongs to the D numbers of one token. Over the batch or
#   over time, a token's output depends on its neighbours, padding too.
# - **Normalised, but not what is added.** LN(x) + f(LN(x)) has no free path any more.
# - **A sub-layer that changes the width.** x + f(x) needs equal shapes. That is why all blocks of a
#   model share one D.
#
# ## Exercises
#
# **1.** Set the output kernels of both sub-layers to zero. What is a pre-norm block's output? And
# post-norm's?

# %% tags=["hide-cell"]
# Pre-norm adds nothing: the output is the input. A deep model may start like this, as no model at
# all. Post-norm still normalises, twice; the second time changes nothing more.
mute = [*attention[:3], np.zeros((4, 4))], [network[0], np.zeros((16, 4))]
np.testing.assert_allclose(block(x, *mute, norm_first=True), x)
np.testing.assert_allclose(block(x, *mute, norm_first=False), layer_norm(x), atol=1e-3)
np.testing.assert_allclose(library_block(x, *mute, norm_first=True), x, atol=1e-6)

# %% [markdown]
# **2.** Count the weights of a block with D = 12 and a middle of 48, with biases. Which sub-layer
# has more?

# %% tags=["hide-cell"]
# Attention: four matrices of 12 x 12 with 12 biases each, 624. Network: 12 x 48 + 48 on the way in
# and 48 x 12 + 12 on the way out, 1212. Two norms with 12 scales and 12 shifts each, 48. So the
# network has two thirds.
counted = ka.layers.TransformerBlock(4, 48)
counted.build((None, None, 12))
assert counted.attention.count_params() == 4 * (12 * 12 + 12) == 624
assert counted.feed_forward.count_params() == 12 * 48 + 48 + 48 * 12 + 12 == 1212
assert counted.count_params() == 624 + 1212 + 2 * 2 * 12

# %% [markdown]
# **3.** Write the output of L pre-norm blocks as one sum. What happens to the size of x, and what
# does the last norm do about it?

# %% tags=["hide-cell"]
# x_L = x_0 + f_1 + f_2 + ..., one term for each sub-layer, so it tends to grow, and a single term
# matters less and less. The last norm brings the sum back to one size.
stream, sizes = x, [np.linalg.norm(x)]
for _ in range(4):
    parts = rng.normal(size=(4, 4, 4)), [rng.normal(size=s) for s in ((4, 16), (16, 4))]
    stream = block(stream, *parts, norm_first=True)
    sizes.append(np.linalg.norm(stream))
assert sizes[-1] > 2 * sizes[0]
np.testing.assert_allclose(layer_norm(stream).var(axis=-1), 1, atol=1e-4)

# %% [markdown]
# ## Limits and sources
#
# Pre-norm is easier to train, and most large models use it or a relative. Well-tuned post-norm
# often ends a little better, if it can be made to start. Our stack is tiny and its task a toy; the
# paper shows the same for translation.
#
# - Vaswani et al., 2017: [Attention is all you need](https://arxiv.org/abs/1706.03762), sections
#   3.1 and 3.3.
# - Xiong et al., 2020: [On layer normalization in the transformer
#   architecture](https://arxiv.org/abs/2002.04745), theorem 1 and figure 3.
# - Ba et al., 2016: [Layer normalization](https://arxiv.org/abs/1607.06450). He et al., 2016: [deep
#   residual learning](https://arxiv.org/abs/1512.03385).
#
# Next: [why warmup?](11_why_warmup.py)
