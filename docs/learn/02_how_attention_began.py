"""How did attention begin? A lesson as a notebook and as a program."""

# %% [markdown]
# # How did attention begin?
#
# The first neural translators squeezed a whole sentence into one vector, and long sentences did not
# fit. Attention, added in 2014, lets the network look back at every source word before it writes
# the next one.
#
# ## You need
#
# [What are query, key and value?](01_query_key_value.py) for the words. Our symbols here:
#
# - T is the number of words to write, S the number of words to read.
# - $q_t$ is the **query**: what the writing network holds before word t, a vector of D numbers.
# - $k_s$ is the **key** of source word s, which says what can be found there. $v_s$ is its
#   **value**, which is what gets taken.
# - $e_{ts}$ is a **score**. It tells how well query t fits key s.

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
# A translator of 2014 was made of two recurrent networks. The **encoder** read the source word by
# word and kept one state, a vector. The **decoder** got the last state and wrote the translation
# from it. So one vector of fixed size had to hold a sentence of any length.
#
# People do not translate like that. We look back at the page. While we write "maison", our eyes are
# on "house".
#
# Bahdanau and his co-authors gave the decoder that second look. The encoder keeps *all* its states.
# Before each word, the decoder scores every state, turns the scores into weights with a softmax,
# and reads the weighted mean of the states. Nobody tells it which words belong together. The
# weights are smooth functions of the scores, so training finds them along with everything else.
#
# ## The equation
#
# The score of [Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473) (appendix A.1.2) is a tiny
# network with one hidden layer. Query and key are *added*, hence the name **additive**:
#
# $$e_{ts} = v^\top \tanh(W_q\, q_t + W_k\, k_s)$$
#
# $W_q$ and $W_k$ bring both to one width, and the vector $v$ turns the hidden layer into one
# number. The softmax over s (equation 6) gives the weights $\alpha_{ts}$. The **context** (equation
# 5) is their weighted sum:
#
# $$\alpha_{ts} = \frac{e^{e_{ts}}}{\sum_{r} e^{e_{tr}}} \qquad c_t = \sum_{s} \alpha_{ts}\, v_s$$
#
# [Luong et al., 2015](https://arxiv.org/abs/1508.04025) (equation 8) found that a product will do:
# the **dot** score is $q_t^\top k_s$, and the **general** score is $q_t^\top W k_s$. They also
# asked whether each word must look at the whole page. Their **local** attention looks only at a
# window of D words on each side of a centre $p_t$. (This D is theirs; elsewhere D is a width.)
#
# - *local-m*, monotonic: $p_t = t$, as if word t belonged to word t.
# - *local-p*, predicted: the network guesses $p_t$, and a bell curve around it fades the weights
#   (equation 10): $\alpha_{ts} \cdot \exp\left(-\frac{(s - p_t)^2}{2 (D/2)^2}\right)$.
#
# ## By hand
#
# Take vectors of one number, $W_q = W_k = 1$ and $v = 2\ln 3$. The query is $\frac12\ln 3$. There
# are two keys, $-\frac12\ln 3$ and 0, with the values 4 and 8.
#
# 1. Add: query plus first key is 0, query plus second key is $\frac12\ln 3$.
# 2. Squash: $\tanh 0 = 0$, and $\tanh(\frac12\ln 3) = \frac{3 - 1}{3 + 1} = \frac12$.
# 3. Times v: the scores are 0 and $\ln 3$.
# 4. Softmax: $e^0 = 1$ and $e^{\ln 3} = 3$, so the weights are 1/4 and 3/4.
# 5. Context: $\frac14 \cdot 4 + \frac34 \cdot 8 = 7$.
#
# The dot score gets there faster. With query $\ln 3$ and keys 0 and 1 the products are 0 and $\ln
# 3$ as well, and the rest is the same.
#
# ## In code
#
# Both scores, the softmax and the local window, in NumPy:

# %%
ln3 = np.log(3)


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)  # over the keys


def additive_scores(query, key, w_query, w_key, vector):
    hidden = np.tanh((query @ w_query)[:, None] + (key @ w_key)[None, :])  # (T, S, units)
    return hidden @ vector  # (T, S)


def local_weights(scores, center, window):
    distance = np.arange(scores.shape[-1]) - center  # (S,)
    near = np.abs(distance) <= window
    weights = softmax(np.where(near, scores, -np.inf))  # (T, S)
    return weights * np.exp(-(distance**2) / (2 * (window / 2) ** 2))


one, value = np.ones((1, 1)), np.array([[4.0], [8.0]])  # (S, 1)
query, key = np.array([[ln3 / 2]]), np.array([[-ln3 / 2], [0.0]])  # (T, 1), (S, 1)
scores = additive_scores(query, key, one, one, np.array([2 * ln3]))
weights = softmax(scores)  # (T, S)
np.testing.assert_allclose(scores, [[0, ln3]])
np.testing.assert_allclose(weights, [[1 / 4, 3 / 4]])
np.testing.assert_allclose(weights @ value, [[7]])

dot_query, dot_key = np.array([[ln3]]), np.array([[0.0], [1.0]])
np.testing.assert_allclose(softmax(dot_query @ dot_key.T) @ value, [[7]])

bell = local_weights(np.zeros((1, 4)), center=2, window=2)  # four equal scores
np.testing.assert_allclose(bell, [[0.0338, 0.1516, 0.25, 0.1516]], atol=1e-4)

# %% [markdown]
# The last line is local-p with four equal scores and the centre at word 2. The softmax gives 0.25
# to each word, and the bell curve keeps only 0.0338 of it for the word farthest away.
#
# ## In the library
#
# The layers of the library, with the same weights, give the same numbers. Note their names: the
# order of arguments is query, value, key, as in Keras. The score of `BahdanauAttention` is one line
# in `scores` of `keras_attention/ops/additive.py`; windows and bell curves are in `_weigh` of
# `keras_attention/layers/attention/luong_attention.py`.

# %%
bahdanau = ka.layers.BahdanauAttention(units=1)
bahdanau.build((1, 1, 1), (1, 2, 1))  # query (B, T, D), value (B, S, D)
bahdanau.set_weights([one, one, np.array([[2 * ln3]])])  # W_q, W_k, v
context, layer_weights = bahdanau(
    query[None], value=value[None], key=key[None], return_attention_scores=True
)
to_numpy = keras.ops.convert_to_numpy
np.testing.assert_allclose(to_numpy(layer_weights), [[[1 / 4, 3 / 4]]], atol=1e-6)
np.testing.assert_allclose(to_numpy(context), [[[7]]], atol=1e-5)

dot = ka.layers.LuongAttention("dot")
context = dot(dot_query[None], value=value[None], key=dot_key[None])
np.testing.assert_allclose(to_numpy(context), [[[7]]], atol=1e-5)

local_p = ka.layers.LuongAttention("dot", alignment="local_p", window=2)
local_p.build((1, 1, 1), (1, 4, 1))
local_p.set_weights([one, np.zeros((1, 1))])  # sigmoid(0) = 1/2: the centre is 4 / 2 = 2
_, layer_weights = local_p(np.zeros((1, 1, 1)), np.ones((1, 4, 1)), return_attention_scores=True)
np.testing.assert_allclose(to_numpy(layer_weights)[0], bell, atol=1e-6)

# %% [markdown]
# ## Look
#
# A trained translator finds its own vectors. Here we set them by hand, to see what a good one does:
# each word gets a direction of its own, and the query points where its translation is. English "the
# red house is old" becomes French "la maison rouge est vieille". The adjective moves.

# %% mystnb={"image": {"alt": "Two heatmaps of a French by English sentence. Left, global: a bright cell in each row, crossing where red and house swap. Right, local with window 1: the same inside a diagonal band, dark outside."}}
english = ["the", "red", "house", "is", "old"]
french = ["la", "maison", "rouge", "est", "vieille"]
source = np.eye(5)[None]  # (B, S, D): a direction for each English word
target = 3 * np.eye(5)[[0, 2, 1, 3, 4]][None]  # (B, T, D): what each French word looks for

panels = {
    "global": ka.layers.LuongAttention("dot"),
    "local-m, one word to each side": ka.layers.LuongAttention(
        "dot", alignment="local_m", window=1
    ),
}
figure, axes = plt.subplots(1, 2, figsize=(7, 3.8), sharey=True, layout="constrained")
alignments = {}
for ax, (name, layer) in zip(axes, panels.items(), strict=True):
    _, alignment = layer(target, source, return_attention_scores=True)
    alignments[name] = to_numpy(alignment)[0]  # (T, S)
    image = ax.imshow(alignments[name], vmin=0, vmax=1, cmap="viridis")
    ax.set_title(name, fontsize=10)
    ax.set_xticks(range(5), english, fontsize=10)
    ax.set_yticks(range(5), french, fontsize=10)
    ax.set_xlabel("read (key)")
axes[0].set_ylabel("written (query)")
figure.colorbar(image, ax=axes, label="weight", shrink=0.7)
figure.suptitle("“maison” looks at “house”, and “rouge” back at “red”", fontsize=12)

assert alignments["global"][1].argmax() == 2  # maison -> house
assert alignments["global"][2].argmax() == 1  # rouge -> red
np.testing.assert_allclose(alignments["global"].sum(axis=-1), 1, atol=1e-6)
assert alignments["local-m, one word to each side"][0, 2] == 0  # la may not see house

# %% [markdown]
# Each row is a French word as it is written, and its cells add up to 1. Bright means "reads here".
# Where word order differs, the bright cells leave the diagonal. On the right, cells outside the
# window are exactly zero.
#
# ## Change
#
# A window of 2 shows the middle word two neighbours on each side, all five words here. Expect a
# smaller window to see fewer words, and each of these to get more weight.

# %%
window = 2  # CHANGE ME: try 1

layer = ka.layers.LuongAttention("dot", alignment="local_m", window=window)
_, alignment = layer(target, source, return_attention_scores=True)
middle = to_numpy(alignment)[0, 2]  # weights of "rouge"
print("words seen:", np.count_nonzero(middle), " weights:", middle.round(3))
assert np.count_nonzero(middle) == min(2 * window + 1, 5)

narrower = ka.layers.LuongAttention("dot", alignment="local_m", window=1)
_, alignment = narrower(target, source, return_attention_scores=True)
assert to_numpy(alignment)[0, 2].max() >= middle.max()

# %% [markdown]
# ## Mistakes
#
# - **Key and value swapped.** If both have one width, nothing fails, and the answer is wrong. Write
#   `value=` and `key=`. The cell below swaps them and gets another number.
# - **Softmax over the wrong axis.** Then columns add up to 1, not rows, and source words compete
#   for target words. Check `weights.sum(axis=-1)`.
# - **Local-m between languages with another word order.** The window hides the word that is needed,
#   and no training can bring it back.
# - **Keys projected anew for every word written.** $W_k k_s$ does not depend on t. Compute it once.
#   The library's decoders do.

# %%
swapped = dot(dot_query[None], value=dot_key[None], key=value[None])
assert abs(float(to_numpy(swapped)[0, 0, 0]) - 7) > 1

# %% [markdown]
# ## Exercises
#
# **1.** Why do the weights of local-p add up to less than 1? What is their sum in the example by
# hand? What would dividing by it change?

# %% tags=["hide-cell"]
# The softmax has a sum of 1, and then each weight is multiplied by a bell curve that is 1 at the
# centre alone and smaller elsewhere. So the sum shrinks: to 0.587 here. Dividing by the sum would
# undo this, and a query could no longer say "there is little for me near here".
np.testing.assert_allclose(bell.sum(), 0.587, atol=1e-3)
np.testing.assert_allclose((bell / bell.sum()).sum(), 1)

# %% [markdown]
# **2.** Queries have 4 numbers, keys 6, and the hidden layer 5. How many weights does the additive
# score learn? How many do the general and the dot score learn? Which of them cannot be used here?

# %% tags=["hide-cell"]
# Additive: W_q is 4 x 5, W_k is 6 x 5, v has 5: 55 together. General: one 4 x 6 matrix, 24. Dot has
# none, but it needs queries and keys of one width, so it cannot be used here.
for layer, expected in (
    (ka.layers.BahdanauAttention(units=5), 4 * 5 + 6 * 5 + 5),
    (ka.layers.LuongAttention("general"), 4 * 6),
):
    layer.build((1, 3, 4), (1, 7, 6))
    assert layer.count_params() == expected
try:
    ka.layers.LuongAttention("dot").build((1, 3, 4), (1, 7, 6))
    raise AssertionError("the dot score took two widths")
except ValueError as error:
    assert "width" in str(error)

# %% [markdown]
# **3.** Make all queries a hundred times longer. Which scores can grow without limit, and which
# cannot?

# %% tags=["hide-cell"]
# A tanh stays between -1 and 1, so an additive score never gets larger than the sum of |v|. A
# product grows with its factors. Lesson 4 shows why that is a problem, and its remedy.
longer = additive_scores(100 * query, key, one, one, np.array([2 * ln3]))
assert np.abs(longer).max() <= 2 * ln3 + 1e-9
np.testing.assert_allclose(100 * dot_query @ dot_key.T, 100 * (dot_query @ dot_key.T))

# %% [markdown]
# ## Limits and sources
#
# Both papers kept the recurrent networks: attention was an addition. Their weights show where the
# decoder reads, not why it wrote a word, and each word costs S scores. Local attention was soon
# dropped, but its idea came back in models for long texts.
#
# - Bahdanau, Cho and Bengio, 2015: [Neural machine translation by jointly learning to align and
#   translate](https://arxiv.org/abs/1409.0473), section 3.1 and appendix A.1.2.
# - Luong, Pham and Manning, 2015: [Effective approaches to attention-based neural machine
#   translation](https://arxiv.org/abs/1508.04025), sections 3.1 and 3.2.
#
# [Explore](../explore.md#a-translation) a translation by this attention, word by word.
#
# Next: [why not keep everything in a recurrent state?](03_why_not_a_recurrent_state.py)
