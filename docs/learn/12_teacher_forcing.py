# %% [markdown]
# # How does a decoder learn everything at once?
#
# A decoder gets the right text, moved one place to the right, and guesses each next token.
# A causal mask hides what comes later, so one pass is a fair test at every place.

# %% [markdown]
# ## You need
#
# [What does a mask do?](07_what_a_mask_does.py) and [where queries, keys and values come
# from](05_where_qkv_come_from.py).
#
# - $B$ texts, $T$ tokens in each, $D$ numbers for each token, $V$ tokens in the vocabulary.
# - $y_t$: the token at place $t$; $y_{<t}$: all tokens before it.
# - $p$: the probability that the model gives to a token; $\ln$: the natural logarithm.

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
# We want a model that writes. It writes token by token, and each token depends on those before.
# Must it also *learn* token by token? A recurrent network must: its state at place $t$ needs the
# state at place $t-1$. A text of $T$ tokens then takes $T$ steps, one after the other.
#
# When we train, we have the whole text. So we need not wait for the model's own words: we give it
# the right ones. This is called **teacher forcing**. Place $t$ gets the true $y_{<t}$ and guesses
# $y_t$. Its input does not depend on any guess, so all places can be computed at the same time.
#
# People ask here: *why does the decoder get the answer?* It gets the answers to the earlier
# questions, as a pupil who is told the right result before the next exercise. What it must not
# get is the answer to the question at hand. Two things see to that: the **shift**, which puts
# $y_{t-1}$ in the place where $y_t$ is asked for, and the **causal mask**, which hides all
# later places. Both are needed. One without the other lets the answer through.

# %% [markdown]
# ## The equation
#
# $$\mathrm{loss} = -\frac{1}{T}\sum_{t=1}^{T} \ln p(y_t \mid y_{<t})$$
#
# The probability of a text is the product of such factors; the logarithm turns the product into
# a sum. Vaswani et al., 2017 ([arXiv 1706.03762](https://arxiv.org/abs/1706.03762), section 3.1)
# describe the two guards: the mask of the decoder, and outputs "offset by one position". The
# **perplexity** is $e^{\mathrm{loss}}$: among how many equal choices the model hesitates.

# %% [markdown]
# ## By hand
#
# The text is "a b". We add a start in front and an end behind:
#
# | place | input | sees | must guess | its probability |
# |---|---|---|---|---|
# | 1 | start | start | a | 1/2 |
# | 2 | a | start a | b | 1/4 |
# | 3 | b | start a b | end | 1/8 |
#
# The three terms are $\ln 2$, $2\ln 2$ and $3\ln 2$. Their mean is $2\ln 2=\ln 4=1.3863$, so the
# perplexity is 4. If the batch has a longer text, ours is padded to a fourth place. A guess there
# is a guess about nothing. It must have weight zero: with 1/16 at that place a loss that counts it
# would be 1.7329, though the model did not get worse.

# %%
p = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 16])  # (T,), the last place is padding
counts = np.array([1, 1, 1, 0])
loss = np.sum(-np.log(p) * counts) / np.sum(counts)
np.testing.assert_allclose(loss, 1.3863, atol=1e-4)
np.testing.assert_allclose(np.exp(loss), 4)
np.testing.assert_allclose(np.mean(-np.log(p)), 1.7329, atol=1e-4)

# %% [markdown]
# ## In code
#
# First the shift. One array of ids gives both inputs and targets. **You** shift it, once, before
# `fit`. (Some libraries shift inside of the model. Who shifts as well then teaches the model to
# skip a word: see the first exercise.)

# %%
START, END = 8, 9
ids = np.array([[START, 0, 1, END]])  # (B, T + 1): start a b end
inputs, targets = ids[:, :-1], ids[:, 1:]  # (B, T) each
assert inputs.tolist() == [[START, 0, 1]]
assert targets.tolist() == [[0, 1, END]]

# %% [markdown]
# Then the claim of the title. A causal pass over all $T$ places must give what $T$ separate
# passes give, each over the beginning of the text alone.

# %%
rng = np.random.default_rng(0)
T, D = 5, 4
x = rng.normal(size=(T, D))  # (T, D)
w_q, w_k, w_v = rng.normal(size=(3, D, D))


def softmax(scores):  # (T, S)
    exp = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def attend(x, mask):  # (T, D), (T, T)
    scores = (x @ w_q) @ (x @ w_k).T / np.sqrt(D)  # (T, T)
    return softmax(np.where(mask, scores, -np.inf)) @ (x @ w_v)  # (T, D)


sees = np.tril(np.ones((T, T), bool))  # place t sees places up to t
at_once = attend(x, sees)  # one pass
one_by_one = [attend(x[:t], np.ones((t, t), bool))[-1] for t in range(1, T + 1)]  # T passes
np.testing.assert_allclose(at_once, one_by_one)

# %% [markdown]
# They agree, because row $t$ of the output uses only the rows up to $t$. Layers on top keep this:
# feed-forward networks and norms work on each place alone.

# %% [markdown]
# ## In the library
#
# The mask is `causal_mask` in `keras_attention/ops/masks.py`. With the same weights the layer
# gives the same numbers. The whole block, with its cross-attention to a source, is
# `keras_attention/layers/blocks/transformer_decoder_block.py`. We change the last token, and
# no earlier output moves.

# %%
layer = ka.layers.MultiHeadSelfAttention(num_heads=1, causal=True, use_bias=False)
layer.build((None, T, D))
for kernel, value in zip(
    (layer.query_kernel, layer.key_kernel, layer.value_kernel, layer.output_kernel),
    (w_q, w_k, w_v, np.eye(D)),
    strict=True,
):
    kernel.assign(value)
output = ops.convert_to_numpy(layer(x[None].astype("float32")))[0]  # (T, D)
np.testing.assert_allclose(output, at_once, atol=1e-5)

block = ka.layers.TransformerDecoderBlock(num_heads=2, intermediate_dim=8)
source = rng.normal(size=(1, 3, D)).astype("float32")  # (B, S, D)
before = x[None].astype("float32")  # (B, T, D)
after = before.copy()
after[:, -1] += 1
change = ops.convert_to_numpy(block(before, source) - block(after, source))[0]  # (T, D)
np.testing.assert_allclose(change[:-1], 0, atol=1e-6)
assert np.abs(change[-1]).max() > 0.01

# %% [markdown]
# ## Look

# %% mystnb={"image": {"alt": "Left: input tokens start, a, b, c above targets a, b, c, end, an arrow from each input to the target below it. Right: a lower triangle of dark cells."}}
figure, (left, right) = plt.subplots(
    1, 2, figsize=(7, 3), width_ratios=(3, 2), layout="constrained"
)
rows = (["start", "a", "b", "c"], ["a", "b", "c", "end"])
for y, (row, colour) in enumerate(zip(rows, ("#dddddd", "#fde725"), strict=True)):
    for column, token in enumerate(row):
        box = dict(boxstyle="round,pad=0.4", facecolor=colour)
        left.text(column, -y, token, ha="center", va="center", bbox=box)
for column in range(4):
    left.annotate("", (column, -0.78), (column, -0.22), arrowprops=dict(arrowstyle="->"))
left.set(xlim=(-1.3, 3.5), ylim=(-1.5, 0.5), title="Each token asks for its neighbour ...")
left.text(-1.25, 0, "input", va="center")
left.text(-1.25, -1, "target", va="center")
left.axis("off")
right.imshow(1 - np.tril(np.ones((4, 4))), cmap="cividis", vmin=-0.2, vmax=1.2)
right.set_xticks(range(4), rows[0])
right.set_yticks(range(4), rows[0])
_ = right.set(xlabel="input seen", ylabel="at place", title="... and sees no later one")

# %% [markdown]
# Left: read down. The token in grey is the input, the one in yellow is asked for there. Right: a
# dark cell means that the place of its row sees the input of its column.

# %% [markdown]
# ## Change
#
# A made-up language of eight letters. Two letters are free. Each further one depends on the letter
# two places before it: exactly two letters may come, with equal chance. A text has 15 letters and
# an end. So nobody can guess better than $(2 \ln 8 + 13 \ln 2)/16 = 0.823$ on average. We train
# the same small model twice, with the mask and without.
#
# What do you expect without it? The target $y_t$ stands in the input at place $t+1$, in plain
# sight. The model learns to copy, and its loss falls below what is possible. Then we let both
# write on from beginnings of texts and count how often the next letter is allowed.

# %%
causal = False  # CHANGE ME: try True, and both models are honest


def draw_texts(count, seed):  # (B, 15), two places after letter i comes 2i or 2i + 1, mod 8
    rng = np.random.default_rng(seed)
    text = [rng.integers(0, 8, count), rng.integers(0, 8, count)]
    for _ in range(15 - 2):
        text.append((2 * text[-2] + rng.integers(0, 2, count)) % 8)
    return np.stack(text, axis=1)


def make_model(causal):
    token_ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(10, 32)(token_ids)  # (B, T, D)
    x = ka.layers.PositionalEncoding("learned", 16)(x)
    x = ka.layers.TransformerBlock(2, 64, causal=causal)(x)
    return keras.Model(token_ids, keras.layers.Dense(10)(x))  # (B, T, V)


def train(model):
    texts = draw_texts(2048, seed=1)
    ids = np.pad(texts, ((0, 0), (1, 1)), constant_values=((0, 0), (START, END)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005), loss)
    history = model.fit(ids[:, :-1], ids[:, 1:], batch_size=64, epochs=8, verbose=0)
    return history.history["loss"][-1]


def count_allowed(model):
    texts, allowed = draw_texts(200, seed=2), []
    ids = np.pad(texts, ((0, 0), (1, 0)), constant_values=START)
    for length in (4, 7, 10):  # letters of the beginning
        logits = ops.convert_to_numpy(model(ids[:, : length + 1]))[:, -1]  # (B, V)
        allowed.append(logits.argmax(-1) // 2 == texts[:, length - 2] % 4)
    return float(np.mean(allowed))


losses, shares = {}, {}
for name, masked in (("honest", True), ("changed", causal)):
    keras.utils.set_random_seed(0)
    model = make_model(masked)
    losses[name], shares[name] = train(model), count_allowed(model)
print("loss:", losses)
print("share of letters that are allowed:", shares)

# %%
np.testing.assert_allclose((2 * np.log(8) + 13 * np.log(2)) / 16, 0.823, atol=1e-3)
assert losses["honest"] > 0.8
assert shares["honest"] > 0.95
if not causal:
    assert losses["changed"] < 0.2 < losses["honest"]  # too good to be true
    assert shares["changed"] < 0.5  # and useless: a guess is right in one of four

# %% [markdown]
# The model without a mask has the better loss and writes worse. A loss that is too good is the
# symptom; it appears on validation data too, because the leak is there as well.

# %% [markdown]
# ## Mistakes
#
# - **No mask.** The loss falls below what is possible; the text is nonsense, as above.
# - **No shift.** Inputs and targets are the same array: the model copies the token that it
#   stands on. The loss goes to zero, and it writes one token for ever.
# - **Two shifts.** The loss may look fine, and the text skips every other word.
# - **Padding counts.** Short texts pull the model towards padding, and the loss depends on how
#   you batch.
# - **Axes swapped.** With $(T, B)$ in place of $(B, T)$ the mask hides other *texts*. Nothing
#   fails; it just learns badly.

# %% [markdown]
# ## Exercises
#
# 1. The text counts: 0 1 2 3 4 5 6 7. Shift twice, so that each token learns what stands two places
#    on. Start with 0 and write. What comes out?
# 2. One text has three tokens, each with the probability 1/2. Another one has a single token, with
#    1/8. What is the mean loss over tokens, and over texts? Why do they differ?

# %% tags=["hide-cell"]
# 1. 0 2 4 6: every other word is skipped.
text = np.arange(8)
learned = dict(zip(text[:-2].tolist(), text[2:].tolist(), strict=True))  # shifted twice
written = [0]
while written[-1] in learned:
    written.append(learned[written[-1]])
assert written == [0, 2, 4, 6]

# %% tags=["hide-cell"]
# 2. Over tokens each token counts alike, so the long text counts three times.
of_tokens = -np.log(np.array([1 / 2, 1 / 2, 1 / 2, 1 / 8]))
np.testing.assert_allclose(of_tokens.mean(), 1.5 * np.log(2))
np.testing.assert_allclose(np.mean([of_tokens[:3].mean(), of_tokens[3]]), 2 * np.log(2))
logits = np.log([[[1 / 2, 1 / 2]] * 3, [[1 / 8, 7 / 8]] * 3]).astype("float32")  # (B, T, V)
keras_loss = keras.losses.SparseCategoricalCrossentropy(
    from_logits=True, reduction="mean_with_sample_weight"
)
weights = np.array([[1, 1, 1], [1, 0, 0]], "float32")  # (B, T)
value = keras_loss(np.zeros((2, 3), "int32"), logits, sample_weight=weights)
np.testing.assert_allclose(float(value), 1.5 * np.log(2), rtol=1e-5)

# %% [markdown]
# ## Limits and sources
#
# In training the model always sees true beginnings, and its own when it writes. After a mistake of
# its own it is in a place that it never saw. This is called exposure bias. Training is parallel;
# writing is not, and [lesson 13](13_cache.py) makes it cheap.
#
# - Teacher forcing: Williams and Zipser, 1989.
# - The masked decoder: Vaswani et al., 2017,
#   [arXiv 1706.03762](https://arxiv.org/abs/1706.03762), section 3.1 and figure 1.
# - Exposure bias: Ranzato et al., 2016, [arXiv 1511.06732](https://arxiv.org/abs/1511.06732).
#
# Next: [Why keep keys, and how many?](13_cache.py)
