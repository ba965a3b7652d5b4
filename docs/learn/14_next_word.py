# %% [markdown]
# # Which word next?
#
# A model gives a probability to each next word; it does not choose. Drawing with a temperature or
# from the top gives varied text, greedy choice and beam search look for the most probable text.

# %% [markdown]
# ## You need
#
# [How a decoder learns](12_teacher_forcing.py) and [why it keeps keys](13_cache.py).
#
# - $V$: tokens in the vocabulary; $s_i$: the logit (raw score) of token $i$.
# - $p_i$: its probability, $e^{s_i}$ divided by the sum over all tokens.
# - $\tau$: the temperature, a positive number.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or "jax" or "tensorflow", before Keras

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

import keras_attention as ka
from keras_attention.decoding import BeamSearch, Greedy, MinP, Temperature, TopK, TopP

# %% [markdown]
# ## The idea
#
# After "the cat sat on the" a model may say: mat 1/2, sofa 1/4, roof 1/8, moon 1/8. Which word do
# we write? There are two kinds of answers, for two kinds of tasks.
#
# **Draw.** For stories and chat we want text that is likely but not always the same. Drawing from
# all words goes wrong at times: each of many thousand odd words is improbable, but all together
# they are not. So we either sharpen the probabilities (temperature) or cut off the odd words
# (top-k, top-p, min-p).
#
# **Search.** For translation we want the one best text. Taking the best word each time (greedy)
# can miss it: a good first word may have no good second one. Beam search keeps several beginnings
# alive.
#
# *Why not always the most probable text?* Because people do not write it. The most probable
# story repeats itself.
#
# *Top-k or top-p?* After "the United States of" one word is right, and two would be too many. After
# "I like" a hundred are right, and ten would be too few. Top-k keeps the same number in both cases.
# Top-p and min-p look at how sure the model is, and keep few words or many.
#
# *How many beams?* Four or five, in translation. Each beam costs as much as a text of its own, and
# beyond a few the texts differ in one word. A search with all beams would look at every text there
# is, which no computer can.
#
# *Is temperature zero allowed?* Not as a number to divide by. Its limit is the greedy choice, so
# ask for that.
#
# *Why do I get the same text again?* Drawing uses a seed. The same seed gives the same words, which
# is what a test wants; without one, each call draws anew.

# %% [markdown]
# ## The equation
#
# Temperature divides the logits before the softmax:
#
# $$p_i(\tau) = \frac{e^{s_i/\tau}}{\sum_j e^{s_j/\tau}} = \frac{p_i^{1/\tau}}{\sum_j
# p_j^{1/\tau}}$$
#
# The second form follows from $e^{s/\tau} = (e^{s})^{1/\tau}$. **Top-p** (Holtzman et al., 2020,
# [arXiv 1904.09751](https://arxiv.org/abs/1904.09751), equations 2 and 3) keeps the smallest set
# of most probable tokens that has the probability $P$ together, and divides by their sum.
# **Top-k** keeps $k$ tokens. **Min-p** keeps those with at least $P$ times the largest
# probability. **Beam search** keeps, at each step, the $b$ beginnings with the largest
# $\sum_t \ln p(y_t \mid y_{<t})$.

# %% [markdown]
# ## By hand
#
# Take the cat: (1/2, 1/4, 1/8, 1/8).
#
# - $\tau = 1/2$ squares each: (1/4, 1/16, 1/64, 1/64). Divided by their sum: (16, 4, 1, 1)/22.
# - Top-p with $P = 0.7$: mat alone has 0.5, mat and sofa have 0.75. Keep the two: (2/3, 1/3).
# - Top-p with $P = 0.4$ keeps mat alone: the first word is always kept.
#
# Now a search, two words long. First word: A with 0.6, B with 0.4. After A come x, y, z with 0.5,
# 0.3, 0.2; after B always x. Greedy takes A, then x: $0.6 \cdot 0.5 = 0.3$. With two beams, A and B
# both live on, and B x wins: $0.4 \cdot 1 = 0.4$.

# %%
p = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8])  # (V,)
squares = p**2 / np.sum(p**2)
np.testing.assert_allclose(squares, np.array([16, 4, 1, 1]) / 22)
np.testing.assert_allclose(squares * np.sum(p**2), [1 / 4, 1 / 16, 1 / 64, 1 / 64])
assert p[0] == 0.5 < 0.7 < p[:2].sum() == 0.75
np.testing.assert_allclose(p[:2] / p[:2].sum(), [2 / 3, 1 / 3])
np.testing.assert_allclose([0.6 * 0.5, 0.4 * 1.0], [0.3, 0.4])

# %% [markdown]
# ## In code


# %%
def softmax(s):  # (V,)
    exp = np.exp(s - s.max())  # exp(-inf) is 0: a token that is cut off
    return exp / exp.sum()


def cool(s, tau):
    return s / tau


def top_p(s, share):
    order = np.argsort(-s)  # the most probable first
    before = np.cumsum(softmax(s)[order]) - softmax(s)[order]  # without the token itself
    return np.where(np.isin(np.arange(len(s)), order[before < share]), s, -np.inf)


def min_p(s, share):
    return np.where(softmax(s) >= share * softmax(s).max(), s, -np.inf)


def search(table, start, steps, beams):  # (V, V): row i has the probabilities after token i
    kept = [((start,), 0.0)]
    for _ in range(steps):
        longer = [
            ((*tokens, new), score + np.log(probability))
            for tokens, score in kept
            for new, probability in enumerate(table[tokens[-1]])
            if probability > 0
        ]
        kept = sorted(longer, key=lambda pair: -pair[1])[:beams]
    return kept


START, A, B, X, Y, Z = range(6)
table = np.zeros((6, 6))  # (V, V)
table[START, [A, B]] = 0.6, 0.4
table[A, [X, Y, Z]] = 0.5, 0.3, 0.2
table[B, X] = 1
((greedy, greedy_score),) = search(table, START, steps=2, beams=1)
(best, best_score), _ = search(table, START, steps=2, beams=2)
assert greedy == (START, A, X)
assert best == (START, B, X)
np.testing.assert_allclose(np.exp([greedy_score, best_score]), [0.3, 0.4])
s = np.log(p)
np.testing.assert_allclose(softmax(cool(s, 1 / 2)), squares)
np.testing.assert_allclose(softmax(top_p(s, 0.7)), [2 / 3, 1 / 3, 0, 0])
np.testing.assert_allclose(softmax(top_p(s, 0.4)), [1, 0, 0, 0])

# %% [markdown]
# The scores are sums of logarithms. The product of a thousand probabilities is 0 in a computer;
# the sum of their logarithms is a plain number.

# %% [markdown]
# ## In the library
#
# Samplers are values that turn logits into others: `keras_attention/decoding/samplers.py`. The
# search is in `keras_attention/decoding/beams.py`. Any functional model from ids to logits will
# do. Ours is a table: an embedding whose row $i$ holds the logits after token $i$.

# %%
logits = ops.convert_to_tensor(s[None].astype("float32"))  # (B, V)
for sampler, expected in (
    (Temperature(1 / 2), softmax(cool(s, 1 / 2))),
    (TopP(0.7), softmax(top_p(s, 0.7))),
    (TopK(2), [2 / 3, 1 / 3, 0, 0]),
    (MinP(0.5), softmax(min_p(s, 0.5))),
):
    result = ops.convert_to_numpy(ops.softmax(sampler(logits, None)))[0]  # no history is needed
    np.testing.assert_allclose(result, expected, atol=1e-6)


def make_model(table):  # (V, V) probabilities
    token_ids = keras.Input((None,), dtype="int32")
    layer = keras.layers.Embedding(len(table), len(table))
    model = keras.Model(token_ids, layer(token_ids))  # (B, T, V)
    layer.set_weights([np.log(np.maximum(table, 1e-9))])
    return model


model = make_model(table)
prompt = [[START]]
written = ka.generate(model, prompt, sampler=Greedy(), max_new_tokens=2)
assert written[0].tolist() == [A, X]
beams = BeamSearch(2, length_penalty=0, num_results=2)
found = ka.generate(model, prompt, sampler=beams, max_new_tokens=2)[0]
assert found[0].output.tolist() == [B, X]
np.testing.assert_allclose(np.exp([found[0].score, found[1].score]), [0.4, 0.3], rtol=1e-4)

# %% [markdown]
# ## Look

# %% mystnb={"image": {"alt": "Four bar charts of the words mat, sofa, roof and moon: as they are, flatter at temperature 2, sharper at temperature one half, and with the last two cut off by top-p."}}
panels = {
    "as it is": p,
    "temperature 2": softmax(cool(s, 2)),
    "temperature 1/2": softmax(cool(s, 1 / 2)),
    "top-p 0.7": softmax(top_p(s, 0.7)),
}
figure, axes = plt.subplots(1, 4, figsize=(7, 2.8), sharey=True, layout="constrained")
words = ("mat", "sofa", "roof", "moon")
for ax, (name, values) in zip(axes, panels.items(), strict=True):
    ax.bar(words, values, color="#3b528b")
    ax.bar(words, p, fill=False, edgecolor="0.4", linestyle=":")
    ax.set_title(name, fontsize=10)
    ax.tick_params(axis="x", labelrotation=60)
axes[0].set_ylabel("probability")
_ = figure.suptitle("Temperature reshapes all words, top-p cuts the last ones off")

# %% [markdown]
# Bars are the probabilities to draw from. The dotted outlines are those that the model gave.

# %% [markdown]
# ## Change
#
# We draw 2000 words. Below 1, a temperature moves the draws to the most probable word; near zero
# it is the greedy choice. Above 1 the draws spread. Which share of the draws is mat?

# %%
temperature = 0.1  # CHANGE ME: try 0.01, or 5

repeat = make_model(np.tile(p, (4, 1)))  # the same probabilities after each word
draws = ka.generate(
    repeat, [[0]] * 20, sampler=Temperature(temperature), max_new_tokens=100, seed=0
)
share = float(np.mean([np.asarray(row) == 0 for row in draws]))
print("draws:", np.size(draws), "of which mat:", share)

# %%
assert np.size(draws) == 2000
np.testing.assert_allclose(share, softmax(s / temperature)[0], atol=0.05)
if temperature <= 1 / 2:
    assert share > 0.5
if temperature >= 2:
    assert share < 0.5

# %% [markdown]
# ## Mistakes
#
# - **Temperature on probabilities.** $p/\tau$, divided by its sum, is $p$ again: nothing changes.
#   Divide the logits.
# - **Top-p that drops the token which crosses the line.** With $P=0.3$ nothing would be left. The
#   token that crosses it is kept.
# - **Top-p before temperature.** The set is chosen from other probabilities than those drawn from.
#   The library cools first.
# - **Comparing sums of texts of different length.** Each word makes the sum smaller, so short
#   texts win. See the second exercise.
# - **Beam search for stories.** The text loops.
# - **Drawing padding or the start token.** Ban ids that are no words.

# %% [markdown]
# ## Exercises
#
# 1. Find a table where two beams lose as well. How many beams does it take?
# 2. One candidate ends at once, with probability 0.3. Another has four words, each with
#    probability 0.7. Which one wins by the sum of logarithms, and which by their mean?
# 3. Show that adding a number to all logits changes no sampler above.

# %% tags=["hide-cell"]
# 1. The third best first word has the only good continuation.
C = Y
other = np.zeros((6, 6))
other[START, [A, B, C]] = 0.4, 0.35, 0.25
other[A, [X, Z]] = 0.5, 0.5
other[B, [X, Z]] = 0.5, 0.5
other[C, X] = 1
probabilities = [np.exp(search(other, START, 2, beams)[0][1]) for beams in (1, 2, 3)]
np.testing.assert_allclose(probabilities, [0.2, 0.2, 0.25])

# %% tags=["hide-cell"]
# 2. By the sum the short one, by the mean the long one. The library divides by
# length ** length_penalty: 0 is the sum, 1 the mean.
short, long = np.log([0.3]), np.log([0.7] * 4)
assert short.sum() > long.sum()
assert short.mean() < long.mean()

# %% tags=["hide-cell"]
# 3. All of them look at softmax probabilities, and those do not change.
for change in (lambda s: cool(s, 2), lambda s: top_p(s, 0.7), lambda s: min_p(s, 0.4)):
    np.testing.assert_allclose(softmax(change(s + 5)), softmax(change(s)))

# %% [markdown]
# ## Limits and sources
#
# No sampler knows what is true. They choose among what the model holds likely. Beam search finds
# more probable texts than greedy choice in most cases, and more probable is not always better. In
# translation, very many beams make it worse, as the shortest answers win.
#
# - Top-p: Holtzman et al., 2020, [arXiv 1904.09751](https://arxiv.org/abs/1904.09751).
# - Top-k: Fan et al., 2018, [arXiv 1805.04833](https://arxiv.org/abs/1805.04833).
# - Min-p: Nguyen et al., 2024, [arXiv 2407.01082](https://arxiv.org/abs/2407.01082).
# - Length penalties: Wu et al., 2016, [arXiv 1609.08144](https://arxiv.org/abs/1609.08144),
#   equation 14.
# - Many beams: Koehn and Knowles, 2017, [arXiv 1706.03872](https://arxiv.org/abs/1706.03872).
#
# Next: [Can I build it all?](15_build_it_all.py)
