"""Why not keep everything in a recurrent state? A lesson as a notebook and as a program."""

# %% [markdown]
# # Why not keep everything in a recurrent state?
#
# A recurrent network keeps one vector and overwrites a part of it at each word, so old words fade.
# Attention keeps all words, and reads the one it needs in one step, however old it is.
#
# ## You need
#
# [How did attention begin?](02_how_attention_began.py) Symbols:
#
# | symbol | meaning | shape |
# |---|---|---|
# | $x_t$ | the input at time t, a word's vector | (D,) |
# | $h_t$ | the **state** after word t: all that the network remembers | (units,) |
# | T, S | words read so far, or in all | numbers |
# | B | texts in a batch | number |

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
# Read a shopping list aloud to a friend, forty things, and then ask: how many eggs? The friend has
# to keep all numbers in mind, because nobody says beforehand which will be asked. With paper it is
# easy: look for the word "eggs", and read what stands beside it.
#
# A recurrent network is the friend without paper. Its state has a fixed size, and each new word
# must be squeezed in, at the cost of older ones. It also learns badly what lies far back. The error
# has to travel back through every step in between, and is multiplied at each. An LSTM has gates
# that protect parts of the state. That helps, but the size stays fixed.
#
# Attention over the states is the paper. Every state is kept, and the question picks one.
#
# ## The equation
#
# $$\text{recurrent: } h_t = f(h_{t-1}, x_t)$$
#
# $$\text{attention: } o = \sum_{s=1}^{T} \mathrm{softmax}(q \cdot k)_s \, v_s$$
#
# In the first, word 1 reaches $h_T$ through T − 1 steps. In the second, every word reaches the output
# in one. [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), table 1, call it the maximum
# path length: T for a recurrent layer, 1 for attention. The price is in the same table: each of the
# T words is compared with all T.
#
# ## By hand
#
# The simplest memory that fades: $h \leftarrow h/2 + x$. Say the first word is $x = 1$, and ten
# words with $x = 0$ follow.
#
# - After one more word $h = 1/2$, after two $1/4$, after ten $2^{-10} = 1/1024$.
# - The gradient of h with respect to the first word is the same $1/1024$. So training hardly
#   notices that word.
#
# Now attention over the same eleven words. The first has the value 1 and fits the query, with $e^s
# = 90$. The ten others have the value 0 and do not fit: $e^0 = 1$ each. The first one's weight is
# $90/(90 + 10) = 0.9$. Where it stands does not matter. At the other end it would be 0.9 too.
#
# ## In code


# %%
def recurrent(inputs):
    state = 0.0
    for x in inputs:  # one step after the other
        state = state / 2 + x
    return state


def attend(query, key, value):
    scores = key @ query  # (S, D) @ (D,) = (S,)
    exponentials = np.exp(scores - scores.max())
    weights = exponentials / exponentials.sum()
    return weights @ value  # all words at once


words = np.array([1.0] + 10 * [0.0])  # (S,), the first word is the one that counts
assert recurrent(words[:2]) == 1 / 2
assert recurrent(words[:3]) == 1 / 4
assert recurrent(words) == 2**-10 == 1 / 1024

query = np.array([np.log(90)])  # (D,)
key = words[:, None]  # (S, D): the first word fits, the others do not
np.testing.assert_allclose(attend(query, key, words), 90 / (90 + 10))
np.testing.assert_allclose(attend(query, key[::-1], words[::-1]), 0.9)

# %% [markdown]
# ## In the library
#
# Keras has the recurrent layer, and we set its weights to ours. `LuongAttention` with the dot score
# is the attention; its sum is `weighted_sum` of `keras_attention/ops/attention.py`.

# %%
to_numpy = keras.ops.convert_to_numpy

fading = keras.layers.SimpleRNN(1, activation="linear", use_bias=False)
fading.build((1, 11, 1))
fading.set_weights([np.array([[1.0]]), np.array([[1 / 2]])])  # for x, and for h
np.testing.assert_allclose(to_numpy(fading(words[None, :, None])), [[1 / 1024]], rtol=1e-6)

reading = ka.layers.LuongAttention("dot")
output = reading(query[None, None], value=words[None, :, None], key=key[None])  # (B, 1, 1)
np.testing.assert_allclose(to_numpy(output), [[[0.9]]], rtol=1e-5)

# %% [markdown]
# ## Look
#
# A test of memory, after [Ba et al., 2016](https://arxiv.org/abs/1610.06258): read pairs of a
# letter and a digit, such as c7 a2 f5, and then a letter, a. The answer is its digit, 2. An LSTM
# answers from its last state. The second model has no recurrence at all: its question attends to
# the pairs themselves. Both train on the same texts of 1 to 16 pairs, which takes a moment.

# %% mystnb={"image": {"alt": "Accuracy by number of pairs, 2 to 16. With attention it stays near 1. From the last state alone it falls towards chance, a dotted line at one eighth."}}
letters, digits, most = 16, 8, 16


def make_texts(pairs, count, seed):
    """Returns texts of so many pairs, or of 1 to `most` if 0, with questions and answers."""
    rng = np.random.default_rng(seed)
    texts = np.zeros((count, most), "int32")  # (B, S), 0 is padding
    questions, answers = np.zeros((count, 1), "int32"), np.zeros(count, "int32")
    for i in range(count):
        n = pairs or rng.integers(1, most + 1)
        chosen, digit, asked = (
            rng.permutation(letters)[:n],
            rng.integers(0, digits, n),
            rng.integers(n),
        )
        texts[i, :n] = 1 + chosen * digits + digit  # one number for each pair
        questions[i], answers[i] = chosen[asked], digit[asked]
    return [texts, questions], answers


def make_model(attends, units=32):
    texts, questions = keras.Input((most,), dtype="int32"), keras.Input((1,), dtype="int32")
    h = keras.layers.Embedding(1 + letters * digits, units, mask_zero=True)(texts)  # (B, S, D)
    question = keras.layers.Embedding(letters, units)(questions)  # (B, 1, D)
    if attends:
        memory = ka.layers.LuongAttention("general")(question, h)  # (B, 1, D)
    else:
        memory = keras.layers.Reshape((1, units))(keras.layers.LSTM(units)(h))
    h = keras.layers.Flatten()(keras.layers.Concatenate()([memory, question]))
    h = keras.layers.Dense(64, activation="relu")(h)
    return keras.Model([texts, questions], keras.layers.Dense(digits)(h))


models, accuracy = {}, {}
pairs_tested = [2, 4, 8, 16]
for name, attends in (("last state", False), ("attention", True)):
    keras.utils.set_random_seed(0)
    model = make_model(attends)
    model.compile(
        keras.optimizers.Adam(5e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(*make_texts(0, 6400, seed=1), batch_size=64, epochs=6, verbose=0)
    models[name] = model
    accuracy[name] = [
        model.evaluate(*make_texts(n, 400, seed=2), batch_size=400, verbose=0)[1]
        for n in pairs_tested
    ]

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.plot(pairs_tested, accuracy["attention"], "o-", color="#31446b", label="attends to all pairs")
ax.plot(pairs_tested, accuracy["last state"], "s--", color="#b8860b", label="last state alone")
ax.axhline(1 / digits, color="grey", linestyle=":", label="chance")
ax.set(xlabel="pairs to remember", ylabel="accuracy", ylim=(0, 1.05), xticks=pairs_tested)
ax.legend()
ax.set_title("One state forgets as the list grows; attention does not")
print({name: np.round(values, 2) for name, values in accuracy.items()})
assert min(accuracy["attention"]) > accuracy["last state"][-1] + 0.3
assert accuracy["last state"][0] > accuracy["last state"][-1]
assert 1 / digits == 1 / 8 == 0.125

# %% [markdown]
# Each point is the accuracy on 400 new texts. With two pairs the last state is right more often
# than not. With every pair that is added it answers worse, down towards chance, which is $1/8 =
# 0.125$. The other line stays at the top: it needs no memory, since nothing is thrown away.
#
# Note what this does not say. The LSTM's 32 numbers could hold 16 digits, in principle. But
# training has to find a way of writing any pair into a few of them without touching the rest, and
# with so few steps it does not.
#
# ## Change
#
# Ask for other lengths. Expect the model with the last state to lose with every pair that is added,
# and the one that attends to lose little.

# %%
pairs = 12  # CHANGE ME: try 1 to 16

results = {
    name: model.evaluate(*make_texts(pairs, 400, seed=3), batch_size=400, verbose=0)[1]
    for name, model in models.items()
}
print({name: round(value, 2) for name, value in results.items()})
if pairs >= 8:
    assert results["attention"] > results["last state"] + 0.2

# %% [markdown]
# The recipe `attention_vs_rnn` of the zoo does this in earnest: more letters, longer lists, and a
# transformer beside the two. Its figures are on the page of results.
#
# ## Mistakes
#
# - **Padding at the end, without a mask.** The last state is then that after the padding, and the
#   words have faded. `mask_zero=True` lets the LSTM stop at the last real word.
# - **Attention over nothing but the last state.** Who puts attention on top of an LSTM needs
#   `return_sequences=True`. Without it there is one state, and its weight is always 1.
# - **A larger state as the cure.** It moves the limit, at a cost that grows with its square. The
#   weights from state to state are units × units.
#
# ## Exercises
#
# **1.** How many steps lie between word 1 and the last state of a recurrent network that has read T
# words? How many in attention? What about a network that reads in both directions?

# %% tags=["hide-cell"]
# T - 1 from state to state, and 1. Reading in both directions helps the two ends, but a word in the
# middle is still about T / 2 from both. The influence of word 1 shows it: (1/2) ** (T - 1).
for length in (2, 5, 11):
    np.testing.assert_allclose(recurrent(np.eye(length)[0]), 0.5 ** (length - 1))

# %% [markdown]
# **2.** For T words of width D a recurrent layer costs about T · D² multiplications, and attention
# T² · D. When is the recurrent layer cheaper? Try D = 512 with 100 and with 5000 words.


# %% tags=["hide-cell"]
# It is cheaper if T * D^2 < T^2 * D, so if D < T: for texts longer than the vectors are wide. But
# it must go word by word, while attention does all words at once, and has to keep them.
def recurrent_is_cheaper(length, width):
    return length * width**2 < length**2 * width


assert not recurrent_is_cheaper(100, 512)
assert recurrent_is_cheaper(5000, 512)

# %% [markdown]
# **3.** Give the fading memory a better factor than 1/2: keep 0.99 of h each time. What is left of
# word 1 after 10 and after 1000 words? Why not simply keep all, with a factor of 1?

# %% tags=["hide-cell"]
# 0.90 after ten and 0.00004 after a thousand. With a factor of 1 nothing fades, but then h is the
# sum of all words, and a sum does not say which of them were in it, nor in which order.
np.testing.assert_allclose(0.99**10, 0.90, atol=5e-3)
np.testing.assert_allclose(0.99**1000, 0.00004, atol=5e-6)

# %% [markdown]
# ## Limits and sources
#
# A recurrent state has one great advantage: its size does not grow. A model that writes for hours
# needs no more memory than at the start. Attention must keep every word. [A later
# lesson](16_long_texts.py) shows attention that can be written as a recurrence, with both virtues
# and both faults. And our models are tiny: a large LSTM with long training remembers more than
# ours.
#
# - Ba et al., 2016: [Using fast weights to attend to the recent
#   past](https://arxiv.org/abs/1610.06258), section 4.1, the task.
# - Bahdanau et al., 2015: [Neural machine translation](https://arxiv.org/abs/1409.0473), figure 2:
#   translation gets worse with the length of the sentence, but not with attention.
# - Vaswani et al., 2017: [Attention is all you need](https://arxiv.org/abs/1706.03762), section 4.
#
# Next: [why divide by the root of d?](04_why_the_root.py)
