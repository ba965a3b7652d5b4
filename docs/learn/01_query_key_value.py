"""What are query, key and value? A lesson as a notebook and as a program."""

# %% [markdown]
# # What are query, key and value?
#
# Attention is a dictionary that never says "not found". It compares the **query** with every
# **key**, turns the matches into shares, and returns the **values** mixed by these shares.

# %% [markdown]
# ## You need
#
# Only a little Python and NumPy. This is the first lesson, and no other comes before it.
#
# | symbol | what it is | shape |
# |---|---|---|
# | $q$ | the query: what we look for | $(D)$ |
# | $k_i$ | key $i$: what entry $i$ can be found by | $(D)$ |
# | $v_i$ | value $i$: what entry $i$ holds | any size |
# | $S$ | how many entries there are | one number |
#
# A query and a key have the same length $D$, because they are compared. A value may be as long as
# you like.

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
# Suppose you keep a small table of animals and of their size in kilograms. A Python dictionary
# finds an entry if you know its exact name. Ask for a husky, and all you get is an error. This is
# the problem: a husky is not in the table, but it is much like a dog, and even more like a wolf. A
# good guess would use all that.
#
# A neural network has a second problem with a dictionary. It learns by small changes: push a number
# a little, see the answer move a little. An exact lookup does not move at all, until it suddenly
# jumps to another entry. Nothing can be learned from that.
#
# Attention answers both. It describes the husky, and each animal of the table, by a few numbers. It
# asks how well the descriptions match. Then it takes a little from each entry: much where the match
# is good, and hardly anything where it is bad.

# %%
kilograms = {"cat": 8, "dog": 16, "wolf": 32}
assert kilograms["wolf"] == 32
assert "husky" not in kilograms  # kilograms["husky"] would be a KeyError

# %% [markdown]
# ## The equation
#
# $$s_i = q \cdot k_i \qquad w_i = \frac{e^{s_i}}{\sum_j e^{s_j}} \qquad o = \sum_i w_i \, v_i$$
#
# This is equation 1 of [Attention Is All You Need](https://arxiv.org/abs/1706.03762) for a single
# query. One factor is left out here, and [a later lesson](04_why_the_root.py) puts it back. In words:
#
# - The **score** $s_i$ is the dot product: multiply the numbers of query and key in pairs, and add
#   up. It is large where both point the same way.
# - The **weight** $w_i$ is the share of entry $i$. The exponential makes each score positive, and
#   the sum below makes all shares add up to one. These two steps are called the **softmax**.
# - The **output** $o$ is the sum of all values, each times its weight.

# %% [markdown]
# ## By hand
#
# Let two numbers describe an animal: does it bark, and does it howl? A husky does both, so the query
# is $(1, 1)$. The cat does neither: its key is $(0, 0)$. The dog barks: $(\ln 2, 0)$. The wolf
# howls: $(0, \ln 5)$. We chose the logarithms so that you need no calculator.
#
# 1. The scores are $0$, $\ln 2$ and $\ln 5$.
# 2. Their exponentials are $1$, $2$ and $5$. The sum is $8$.
# 3. The weights are $1/8$, $2/8$ and $5/8$.
# 4. The output is $\frac{1}{8} \cdot 8 + \frac{2}{8} \cdot 16 + \frac{5}{8} \cdot 32 = 1 + 4 + 20 = 25$.
#
# So we guess that a husky has 25 kilograms. No entry of the table holds this number. It lies between
# them, nearest to the wolf.

# %%
exponentials = np.exp([0, np.log(2), np.log(5)])
np.testing.assert_allclose(exponentials, [1, 2, 5])
np.testing.assert_allclose(exponentials.sum(), 8)
by_hand = np.array([1 / 8, 2 / 8, 5 / 8])  # the weights
np.testing.assert_allclose(exponentials / 8, by_hand)
np.testing.assert_allclose(by_hand * [8, 16, 32], [1, 4, 20])
assert 1 + 4 + 20 == 25

# %% [markdown]
# ## In code
#
# The same for T queries at once: each row of a matrix is one query, one key or one value. So the
# scores are a table with a row for each query and a column for each key. The shares of a row add up
# to one.


# %%
def softmax(scores):
    """Returns shares that add up to one along the last axis."""
    scores = scores - scores.max(axis=-1, keepdims=True)  # so that no exponential overflows
    exponentials = np.exp(scores)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def attend(query, key, value):
    """Returns the mixed values, and the share that each query takes of each value."""
    scores = query @ key.T  # (T, D) @ (D, S) = (T, S)
    weights = softmax(scores)  # (T, S)
    return weights @ value, weights  # (T, S) @ (S, 1) = (T, 1)


query = np.array([[1.0, 1.0]])  # (T, D): one query, a husky
key = np.array([[0, 0], [np.log(2), 0], [0, np.log(5)]])  # (S, D): cat, dog, wolf
value = np.array([[8.0], [16.0], [32.0]])  # (S, 1): their kilograms

output, weights = attend(query, key, value)
np.testing.assert_allclose(weights, [by_hand])
np.testing.assert_allclose(output, [[25]])

# %% [markdown]
# ## In the library
#
# `LuongAttention` with the score `"dot"` is the plainest layer that attends. It learns nothing: it
# compares, takes the softmax and mixes. Layers work on batches, so each array gets one more axis in
# front, B. Always name `key` and `value`, because Keras wants the value first.

# %%
layer = ka.layers.LuongAttention(score="dot")
mixed, shares = layer(
    query[None].astype("float32"),  # (B, T, D)
    value=value[None].astype("float32"),  # (B, S, 1)
    key=key[None].astype("float32"),  # (B, S, D)
    return_attention_scores=True,
)
mixed = keras.ops.convert_to_numpy(mixed)  # (B, T, 1)
shares = keras.ops.convert_to_numpy(shares)  # (B, T, S)
np.testing.assert_allclose(shares[0], [by_hand], rtol=1e-6)
np.testing.assert_allclose(mixed[0], [[25]], rtol=1e-6)

# %% [markdown]
# The scores and their order are in `keras_attention/layers/attention/luong_attention.py`. The
# softmax is `masked_softmax` in `keras_attention/ops/attention.py`, and every layer of the library
# that attends calls it. Beside it stands `attention_weights`, which has the scores of a transformer.

# %% [markdown]
# ## Look

# %% mystnb={"image": {"alt": "Two bar charts over cat, dog and wolf. Left, a dictionary asked for the wolf: only the wolf has a share, all of it. Right, attention asked for a husky: cat one eighth, dog two eighths, wolf five eighths."}}
animals = list(kilograms)
hard = np.array([0.0, 0.0, 1.0])  # what a dictionary takes of each entry
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), sharey=True, layout="constrained")
for axes, heights, title in (
    (left, hard, 'dictionary["wolf"] = 32'),
    (right, weights[0], "attention(husky) = 25"),
):
    colours = plt.cm.cividis([0.15, 0.5, 0.85])
    bars = axes.bar(animals, heights, color=colours, edgecolor="black")
    labels = [
        f"{8 * share:.0f}/8\nof {kilograms[animal]} kg"
        for animal, share in zip(animals, heights, strict=True)
    ]
    axes.bar_label(bars, labels)
    axes.set(title=title, ylim=(0, 1.3), yticks=[0, 0.5, 1])
left.set_ylabel("share of each value")
figure.suptitle("A dictionary takes one entry, attention a share of each")

# %% [markdown]
# *How to read it: each bar is the share that a lookup takes of one entry. The shares of each picture
# add up to one, so the wolf can only gain what the others lose.*

# %% [markdown]
# ## Change
#
# Only differences of scores count. Add 3 to all of them, and nothing changes. Multiply all of them
# by 2, and the differences double: we expect the best match to win more clearly. The exponentials
# become 1, 4 and 25, so the wolf's share rises from $5/8$ to $25/30$.

# %%
scores = query @ key.T  # (T, S)
np.testing.assert_allclose(softmax(scores + 3), weights)  # nothing changes

factor = 2  # CHANGE ME: try 0, 1 and 10

changed = softmax(factor * scores)  # (T, S)
print("shares", changed.round(3), "output", (changed @ value).round(2))
assert factor != 2 or np.allclose(changed, np.array([1, 4, 25]) / 30)
assert factor <= 1 or changed[0, 2] > weights[0, 2]  # the best match gains
assert factor >= 1 or changed[0, 2] < weights[0, 2]  # or loses
np.testing.assert_allclose(softmax(0 * scores), [[1 / 3, 1 / 3, 1 / 3]])
assert softmax(10 * scores)[0, 2] > 0.999

# %% [markdown]
# With 0 all scores are equal, and the output is the plain mean of the values. With 10 the wolf takes
# nearly everything, and the soft lookup is almost a hard one. People who write texts with language
# models know this knob as the *temperature*, which divides the scores.

# %% [markdown]
# ## Mistakes
#
# - **The softmax along the wrong axis.** Then the columns add up to one, and not the rows. With one
#   query it is easy to see: every weight is 1, and the output is the sum of all values, 56. With
#   many queries nobody gets an error, and the model just learns badly.
# - **Value and key swapped.** Keras's order is query, value, key. If both have the same shape,
#   nothing complains, and the layer mixes keys. Write the names.
# - **The exponential of a large score.** A score of 1000 overflows to infinity, and infinity divided
#   by itself is not a number. The softmax above first takes away the largest score. By the rule of
#   the last section this changes nothing else.
# - **Weights read as an answer.** The weight says how much of a value was mixed in. If the value is
#   0, even a large weight adds nothing.

# %%
wrong = np.exp(scores) / np.exp(scores).sum(axis=0)  # along the queries
np.testing.assert_allclose(wrong, [[1, 1, 1]])
np.testing.assert_allclose(wrong @ value, [[56]])
with np.errstate(over="ignore", invalid="ignore"):
    assert np.isnan(np.exp(1000.0) / np.exp(1000.0))
np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0])), [1 / 2, 1 / 2])

# %% [markdown]
# ## Exercises
#
# 1. Prove that adding the same number $c$ to all scores changes no weight.
# 2. When does attention return one value alone, as a dictionary does? What happens if the two best
#    scores are equal?
# 3. Swap the cat and the wolf in the table: the keys and the values. Does the output change?

# %% tags=["hide-cell"]
# 1. Each exponential becomes e^(s + c) = e^s e^c. So does each term of the sum, and e^c cancels.
for c in (-7.0, 0.5, 100.0):
    np.testing.assert_allclose(softmax(scores + c), softmax(scores))

# %% tags=["hide-cell"]
# 2. As the factor grows, the weight of each smaller score goes to zero, and the best one takes all.
np.testing.assert_allclose(softmax(1000 * scores) @ value, [[32]])
#    Two equal best scores share evenly, whatever the factor is: here the dog's and the wolf's values.
even = softmax(1000 * np.array([[0, np.log(5), np.log(5)]]))
np.testing.assert_allclose(even @ value, [[(16 + 32) / 2]])

# %% tags=["hide-cell"]
# 3. No: the output is a sum, and a sum has no order. A model that must know the order of its inputs
#    has to be told, which is what lesson 8 is about.
order = [2, 1, 0]
np.testing.assert_allclose(attend(query, key[order], value[order])[0], output)

# %% [markdown]
# ## Limits and sources
#
# We made up the keys and the query. In a model they are learned, together with the values, from the
# same inputs: [where Q, K and V come from](05_where_qkv_come_from.py) shows how.
#
# The output is a mean with weights, so it never leaves the range of the values. Attention can mix
# what it finds, but something else has to make new things of it. In a transformer that is the
# feed-forward network beside it.
#
# - Vaswani et al., 2017, [Attention Is All You Need](https://arxiv.org/abs/1706.03762), section 3.2
#   and equation 1: "a query and a set of key-value pairs".
# - Bahdanau et al., 2015, [Neural Machine Translation by Jointly Learning to Align and
#   Translate](https://arxiv.org/abs/1409.0473), equations 5 and 6: the same sum before it had these
#   names.
#
# Next: [how did attention begin?](02_how_attention_began.py)
