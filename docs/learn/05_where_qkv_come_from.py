"""Where do queries, keys and values come from? A lesson as a notebook and as a program."""

# %% [markdown]
# # Where do queries, keys and values come from?
#
# From the same tokens: three learned matrices turn each token into a query, a key and a value. That
# is self-attention. In cross-attention the queries come from one sequence, and keys and values from
# another.
#
# ## You need
#
# [Why divide by the root of d?](04_why_the_root.py) for the formula that is used here. Symbols:
#
# | symbol | meaning | shape |
# |---|---|---|
# | $X$ | a sequence of T tokens, each a vector of D numbers | (B, T, D) |
# | $M$ | a memory of S tokens: another sequence to read | (B, S, D) |
# | $W_Q, W_K, W_V$ | learned matrices, called kernels or projections | (D, H) |
# | $Q, K, V$ | queries, keys and values | (B, T, H), or S for T |
#
# B is the number of sequences in a batch. They never see each other.

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
# Bahdanau's decoder asked the questions, and the encoder's states held the answers. But a word in a
# sentence has questions of its own. In "the animal did not cross because it was tired", the word
# "it" asks: who? The word "animal" can answer. So let every word ask all the words of its own
# sentence.
#
# Could we use the word's vector itself as query, key and value? Then each score would be $x_i \cdot
# x_j$. Two things go wrong. Such scores are **symmetric**: if "it" looks at "animal", then "animal"
# looks at "it" just as hard. And a vector is mostly like itself, so each word would mainly look at
# itself.
#
# Three matrices solve both. The query is what a word looks for, the key is what it offers to be
# found by, and the value is what it hands over. Training chooses all three.
#
# ## The equation
#
# $$Q = X W_Q \quad K = X W_K \quad V = X W_V \qquad
# Y = \mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{H}}\right) V$$
#
# This is equation 1 of [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), with the
# projections of their section 3.2.2. For **cross-attention** replace X by the memory M in K and V:
# $K = M W_K$ and $V = M W_V$. In both cases there is one output for each *query*, T of them.
#
# Two things confuse many at first.
#
# - **Q, K and V are not weights of the model.** The three matrices are: they are learned once, and
#   stay the same for every text. Q, K and V are computed anew from each text, and then thrown away.
# - **T and S may differ, and so may the widths.** Only two sizes must agree: queries and keys have
#   the same H, because they are multiplied, and there are as many values as keys, because each
#   weight needs one. A caption can read a picture, and a decoder its source.
#
# Could one matrix $W_Q W_K^\top$ take the place of two? For the scores, yes: $x_i W_Q W_K^\top
# x_j^\top$ is all that they use. But it would be D × D, while two thin matrices of D × H are
# smaller, and keys can be computed once and kept.
#
# ## By hand
#
# Let the tokens be the numbers 0, 1 and 2, and let all three matrices be 1. Instead of $1/\sqrt{H}$
# we take $\ln 2$ as the scale, for then $e^{\ln 2 \cdot n} = 2^n$ is easy.
#
# | query | scores | powers of 2 | weights | output |
# |---|---|---|---|---|
# | 0 | 0, 0, 0 | 1, 1, 1 | 1/3, 1/3, 1/3 | (0 + 1 + 2)/3 = 1 |
# | 1 | 0, 1, 2 | 1, 2, 4 | 1/7, 2/7, 4/7 | (0 + 2 + 8)/7 = 10/7 |
# | 2 | 0, 2, 4 | 1, 4, 16 | 1/21, 4/21, 16/21 | (0 + 4 + 32)/21 = 12/7 |
#
# A larger query looks harder at the largest key. Query 0 cannot tell the keys apart, so it takes
# the mean.
#
# Now across. One query 1 reads a memory with keys 0, 1 and 2, and values 7, 14 and 28. The weights
# are those of the second row: $(1 \cdot 7 + 2 \cdot 14 + 4 \cdot 28)/7 = 147/7 = 21$.
#
# ## In code


# %%
def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def attend(x, memory, w_query, w_key, w_value, scale):
    query = x @ w_query  # (B, T, D) @ (D, H) = (B, T, H)
    key = memory @ w_key  # (B, S, D) @ (D, H) = (B, S, H)
    value = memory @ w_value  # (B, S, H)
    scores = query @ key.swapaxes(1, 2) * scale  # (B, T, H) @ (B, H, S) = (B, T, S)
    weights = softmax(scores)  # (B, T, S), each row adds up to 1
    return weights @ value, weights  # (B, T, H)


ln2, one = np.log(2), np.ones((1, 1))
x = np.array([[[0.0], [1.0], [2.0]]])  # (B, T, D)
output, weights = attend(x, x, one, one, one, scale=ln2)  # self: the memory is x
np.testing.assert_allclose(
    weights[0], [[1 / 3, 1 / 3, 1 / 3], [1 / 7, 2 / 7, 4 / 7], [1 / 21, 4 / 21, 16 / 21]]
)
np.testing.assert_allclose(output[0], [[1], [10 / 7], [12 / 7]])
np.testing.assert_allclose((0 + 4 + 32) / 21, 12 / 7)

memory = np.array([[[0.0, 7.0], [1.0, 14.0], [2.0, 28.0]]])  # (B, S, 2): what to find, to get
first, second = np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]])  # they pick a column
across, _ = attend(np.array([[[1.0]]]), memory, one, first, second, scale=ln2)
np.testing.assert_allclose(across, [[[147 / 7]]])
np.testing.assert_allclose(across, [[[21]]])

# %% [markdown]
# Each memory token has two numbers here. $W_K$ picks the first and $W_V$ the second: a projection
# decides what of a token is used for what.
#
# ## In the library
#
# `MultiHeadSelfAttention` makes all three from one input, in `attend` of
# `keras_attention/layers/attention/multi_head_self_attention.py`. `MultiHeadCrossAttention` takes
# the query and the memory apart, see `remember` in
# `keras_attention/layers/attention/multi_head_cross_attention.py`. Both end with an output matrix,
# which we set to 1.

# %%
to_numpy = keras.ops.convert_to_numpy

layer = ka.layers.MultiHeadSelfAttention(num_heads=1, use_bias=False, scale=ln2)
layer.build((1, 3, 1))
layer.set_weights(4 * [one])  # query, key, value, output
layer_output, layer_weights = layer(x, return_attention_scores=True)
np.testing.assert_allclose(to_numpy(layer_output)[0], [[1], [10 / 7], [12 / 7]], rtol=1e-5)
np.testing.assert_allclose(to_numpy(layer_weights)[0, 0], weights[0], rtol=1e-5)  # (B, N, T, S)

cross = ka.layers.MultiHeadCrossAttention(num_heads=1, head_dim=1, use_bias=False, scale=ln2)
cross.build((1, 1, 1), (1, 3, 2))  # query (B, T, D), value (B, S, D)
cross.set_weights([one, first, second, one])
np.testing.assert_allclose(to_numpy(cross(np.array([[[1.0]]]), memory)), [[[21]]], rtol=1e-5)

# %% [markdown]
# ## Look
#
# One sentence, and three views of it. Each token has four numbers: is it a pronoun, is it a noun,
# is it alive, is it a street? The matrices are set by hand, so that a pronoun looks for living
# things.

# %% mystnb={"image": {"alt": "Four heatmaps of six words. The query view lights up for it, the key view for animal and street, the value view for what they mean. The weights have a bright cell where it meets animal."}}
words = ["the", "animal", "crossed", "the", "street", "it"]
#                 pronoun noun alive street
tokens = np.array(
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0]], "float64"
)[None]  # (B, T, D)
w_query = np.array([[2, 3], [0, 0], [0, 0], [0, 0]])  # a pronoun looks for a noun, alive
w_key = np.array([[0, 0], [1, 0], [0, 1], [0, 0]])  # offers: being a noun, being alive
w_value = np.array([[0, 0], [0, 0], [1, 0], [0, 1]])  # hands over: alive, street
reading, who = attend(tokens, tokens, w_query, w_key, w_value, scale=1 / np.sqrt(2))

figure, axes = plt.subplots(
    1, 4, figsize=(7, 3.4), width_ratios=[2, 2, 2, 6], sharey=True, layout="constrained"
)
views = {"query": tokens @ w_query, "key": tokens @ w_key, "value": tokens @ w_value}
for ax, (name, view) in zip(axes[:3], views.items(), strict=True):
    ax.imshow(view[0], vmin=0, vmax=3, cmap="cividis", aspect="auto")
    ax.set_title(name, fontsize=11)
columns = ["noun", "alive"], ["noun", "alive"], ["alive", "street"]
for ax, names in zip(axes[:3], columns, strict=True):
    ax.set_xticks(range(2), names, rotation=90, fontsize=9)
image = axes[3].imshow(who[0], vmin=0, vmax=1, cmap="viridis", aspect="auto")
axes[3].set_xticks(range(6), words, rotation=90, fontsize=9)
axes[0].set_yticks(range(6), words, fontsize=10)
axes[3].set_title("weights", fontsize=11)
figure.colorbar(image, ax=axes[3])
figure.suptitle("“it” asks for a living noun, and “animal” answers")

assert who[0, 5].argmax() == 1  # it -> animal
assert who[0, 5, 1] > 2 * who[0, 1, 5]  # and not the other way round
assert np.allclose(who[0, 0], 1 / 6)  # "the" asks nothing, and gets the mean

# %% [markdown]
# Rows are words. The three narrow panels are the same sentence through three matrices; brighter is
# larger. In the right panel each row says whom that word reads. Words that ask nothing read all
# alike.
#
# ## Change
#
# Shuffle the tokens. Attention compares contents, and nowhere does it use where a token stands. So
# expect the same outputs, in the shuffled order.

# %%
order = [2, 0, 1]  # CHANGE ME: any order of 0, 1 and 2

shuffled = to_numpy(layer(x[:, order]))
print("before:", to_numpy(layer_output).ravel().round(3), " after:", shuffled.ravel().round(3))
np.testing.assert_allclose(shuffled, to_numpy(layer_output)[:, order], rtol=1e-5)

# %% [markdown]
# So self-attention alone reads a bag of words. [How a model knows the
# order](08_how_order_enters.py) is a lesson of its own.
#
# ## Mistakes
#
# - **Batch and time swapped.** Give (T, B, D) where (B, T, D) is expected, and nothing fails. But
#   now the third words of all sentences attend to each other, and a sentence never sees itself.
#   Exercise 2 is a test that finds it.
# - **Cross-attention with the roles mixed up.** The output has the length of the query. If it comes
#   out with S rows, memory and query were swapped.
# - **Query and key from one matrix.** Then scores are symmetric again, and "animal" asks "it" back.
# - **A mask for the wrong side.** The memory's padding belongs to the keys: `value_mask`, not
#   `query_mask`.

# %%
two = np.concatenate([x, x + 3])  # (B, T, D) with B = 2
both = to_numpy(layer(two))
swapped = to_numpy(layer(two.swapaxes(0, 1))).swapaxes(0, 1)
assert both.shape == swapped.shape  # nothing complains ...
assert np.abs(both - swapped).max() > 0.5  # ... and the numbers are others

# %% [markdown]
# ## Exercises
#
# **1.** Prove that shuffled tokens give shuffled outputs. A shuffle is a matrix P with a single 1
# in each row and column, so the input becomes $P X$.

# %% tags=["hide-cell"]
# Q, K and V become P Q, P K and P V. The scores become P Q K^T P^T: rows and columns in the new
# order. The softmax works inside rows, so it keeps this form: P A P^T. Then P A P^T P V = P A V,
# because P^T P is the identity. That is P times the old output.
rng = np.random.default_rng(0)
p = np.eye(3)[order]
np.testing.assert_allclose(p.T @ p, np.eye(3))
kernels = rng.normal(size=(3, 4, 2))
z = rng.normal(size=(1, 3, 4))
y, a = attend(z, z, *kernels, scale=1)
y_shuffled, a_shuffled = attend(p @ z, p @ z, *kernels, scale=1)
np.testing.assert_allclose(y_shuffled, p @ y)
np.testing.assert_allclose(a_shuffled, p @ a @ p.T)

# %% [markdown]
# **2.** Write a test that fails if a layer mixes the sequences of a batch. What must not change if
# you replace the second sequence?


# %% tags=["hide-cell"]
# The first sequence's output must not change.
def sequences_are_apart(layer, x):
    other = x.copy()
    other[1] += 1  # another second sequence
    return np.allclose(to_numpy(layer(x))[0], to_numpy(layer(other))[0], atol=1e-6)


def swaps_axes(x):  # the mistake: batch and time exchanged
    return to_numpy(layer(x.swapaxes(0, 1))).swapaxes(0, 1)


assert sequences_are_apart(layer, two)
assert not sequences_are_apart(swaps_axes, two)

# %% [markdown]
# **3.** A caption of 12 words reads a picture of 49 patches. How many scores are there in
# cross-attention? How many in self-attention of the caption?

# %% tags=["hide-cell"]
# One for each pair of query and key: 12 x 49 = 588 across, and 12 x 12 = 144 among the words.
words_to_patches = ka.layers.MultiHeadCrossAttention(num_heads=1)
_, scores = words_to_patches(
    np.zeros((1, 12, 4)), np.zeros((1, 49, 8)), return_attention_scores=True
)
assert to_numpy(scores).size == 12 * 49 == 588
assert 12 * 12 == 144

# %% [markdown]
# ## Limits and sources
#
# One set of matrices gives one kind of question for each word. Real words have several, which is
# the next lesson. And matrices that we set by hand have names for their numbers; learned ones do
# not.
#
# - Vaswani et al., 2017: [Attention is all you need](https://arxiv.org/abs/1706.03762), sections
#   3.2.2 and 3.2.3, which has the three uses: encoder, decoder and across.
# - Lin et al., 2017: [A structured self-attentive sentence
#   embedding](https://arxiv.org/abs/1703.03130), an early self-attention.
#
# Next: [why several heads?](06_why_several_heads.py)
