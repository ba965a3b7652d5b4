# %% [markdown]
# # How do words look at pictures?
#
# Each word asks, each patch of the picture offers a key and a value, and cross-attention brings
# them together. Another question about the same picture reads other patches.

# %% [markdown]
# ## You need
#
# [Where queries, keys and values come from](05_where_qkv_come_from.py) and [how attention
# sees](18_vision.py).
#
# - $T$ words, as vectors of width $D_{\text{text}}$; $S$ patches, of width $D_{\text{image}}$.
# - $Q$: queries of the words, $(T, H)$; $K$, $V$: keys and values of the patches, $(S, H)$.
# - $H$: size of a head.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or "jax" or "tensorflow", before Keras

import matplotlib.pyplot as plt
import numpy as np
from keras import ops

import keras_attention as ka
import zoo

# %% [markdown]
# ## The idea
#
# "What color is the shape?" Neither the words nor the picture alone can answer. The words say what
# is asked, the picture what there is. One simple way is to squeeze the picture into one vector and
# append it to the words. Then all of the picture must fit into that vector, before anybody knows
# the question.
#
# Cross-attention turns it round. The picture stays a set of patches. Each word forms a query, and
# looks for the patches whose keys fit. The question decides what is read. It is the step by which
# a translator reads the foreign sentence; only the memory is a picture now.
#
# *Words and pixels have nothing in common. How can a query fit a key?* Both pass a learned matrix
# into a common space of $H$ numbers. Training puts "color" near the patches that differ from
# the background, because that makes the answers right.
#
# *Who attends to whom, words to patches or patches to words?* Both are possible. Here the words
# read, for the answer is made of words. Where a picture is to be drawn from a text, the patches
# read the words: the same layer, with the sides swapped.
#
# *Must both have the same width or length?* No. $W_Q$ takes $D_{\text{text}}$ numbers, $W_K$ and
# $W_V$ take $D_{\text{image}}$. There is one row of weights for each word, with a column for each
# patch.

# %% [markdown]
# ## The equation
#
# $$O = \mathrm{softmax}\Big(\frac{Q_{\text{text}}\, K_{\text{image}}^\top}{\sqrt{H}}\Big)\,
# V_{\text{image}}$$
#
# This is equation 1 of Vaswani et al., 2017 ([arXiv 1706.03762](https://arxiv.org/abs/1706.03762))
# with two sources (section 3.2.3). Xu et al., 2015
# ([arXiv 1502.03044](https://arxiv.org/abs/1502.03044), equations 4 to 6) looked at pictures this
# way first. Their query was the state of a recurrent network, and their score was additive.

# %% [markdown]
# ## By hand
#
# Two patches: the first has the key $(\ln 3, 0)$, the second $(0, \ln 3)$. To keep the numbers
# small we leave out the root. Values are the colors: red is (1, 0), blue is (0, 1).
#
# - A word with the query (1, 0) scores $\ln 3$ and 0. The softmax gives $3:1$, so (3/4, 1/4). It
#   reads (3/4, 1/4): mostly red.
# - A word with the query (0, 1) gets (1/4, 3/4): mostly blue.
#
# One picture, two words, two answers.


# %%
def softmax(scores):  # (T, S)
    exp = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


keys = np.array([[np.log(3), 0], [0, np.log(3)]])  # (S, H)
words = np.array([[1.0, 0.0], [0.0, 1.0]])  # (T, H)
np.testing.assert_allclose(softmax(words @ keys.T), [[3 / 4, 1 / 4], [1 / 4, 3 / 4]])

# %% [markdown]
# ## In code
#
# Words of width 6, patches of width 5, two heads. The second picture is smaller: its last two
# patches are padding. Note who is masked: keys, not queries.

# %%
rng = np.random.default_rng(0)
B, T, S, N, H = 2, 3, 4, 2, 2
text = rng.normal(size=(B, T, 6))  # (B, T, D_text)
patches = rng.normal(size=(B, S, 5))  # (B, S, D_image)
there = np.array([[True] * 4, [True, True, False, False]])  # (B, S)
w_q, w_k, w_v = (
    rng.normal(size=(6, N * H)),
    rng.normal(size=(5, N * H)),
    rng.normal(size=(5, N * H)),
)
w_o = rng.normal(size=(N * H, 6))


def split_heads(x):  # (B, T, N * H) to (B, N, T, H)
    return x.reshape(B, -1, N, H).transpose(0, 2, 1, 3)


def cross_attend(text, patches, there):
    q, k, v = split_heads(text @ w_q), split_heads(patches @ w_k), split_heads(patches @ w_v)
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(H)  # (B, N, T, S)
    weights = softmax(np.where(there[:, None, None, :], scores, -np.inf))
    y = (weights @ v).transpose(0, 2, 1, 3).reshape(B, T, N * H)
    return y @ w_o, weights  # (B, T, D_text), (B, N, T, S)


expected, expected_weights = cross_attend(text, patches, there)
assert expected.shape == text.shape
assert expected_weights.shape == (B, N, T, S)
assert np.all(expected_weights[1, :, :, 2:] == 0)

# %% [markdown]
# ## In the library
#
# `keras_attention/layers/attention/multi_head_cross_attention.py`: `query` are the words, `value`
# are the patches. The same layer in a block is
# `keras_attention/layers/blocks/transformer_decoder_block.py`. The model below,
# `zoo/models/vqa.py`, is made of these: its words attend to each other, then to the patches.

# %%
layer = ka.layers.MultiHeadCrossAttention(N, head_dim=H, use_bias=False)
layer.build(text.shape, patches.shape)
for kernel, value in zip(
    (layer.query_kernel, layer.key_kernel, layer.value_kernel, layer.output_kernel),
    (w_q, w_k, w_v, w_o),
    strict=True,
):
    kernel.assign(value)
output, weights = layer(
    text.astype("float32"),
    patches.astype("float32"),
    value_mask=ops.convert_to_tensor(there),
    return_attention_scores=True,
)
np.testing.assert_allclose(ops.convert_to_numpy(output), expected, atol=1e-4)
np.testing.assert_allclose(ops.convert_to_numpy(weights), expected_weights, atol=1e-5)

# %% [markdown]
# ## Look
#
# `vqa_easy` comes along with the zoo, trained on questions about pictures of one shape. We draw our
# own: three shapes in eight colors.

# %%
COLORS = {
    "black": (0, 0, 0),
    "blue": (0, 0, 255),
    "brown": (165, 42, 42),
    "gray": (128, 128, 128),
    "green": (0, 255, 0),
    "red": (255, 0, 0),
    "teal": (0, 128, 128),
    "yellow": (255, 255, 0),
}


def draw(shape, color, x, y, r=12):  # (64, 64, 3), and where the shape is, (64, 64)
    across, down = np.arange(64)[None] - x, np.arange(64)[:, None] - y
    inside = {
        "circle": across**2 + down**2 <= r * r,
        "rectangle": (abs(across) <= r) & (abs(down) <= r // 2),
        "triangle": (abs(down) <= r) & (2 * abs(across) <= down + r),
    }[shape]
    return np.where(inside[..., None], COLORS[color], (240, 240, 235)).astype("uint8"), inside


labels = [(shape, color) for shape in ("circle", "rectangle", "triangle") for color in COLORS]
drawn = [draw(*label, *rng.integers(14, 50, 2)) for label in labels]
images, inside = (np.stack(part) for part in zip(*drawn, strict=True))  # (24, 64, 64, 3), ...
assert len(images) == 24
model = zoo.load("vqa_easy")
COLOR, CIRCLE = "what color is the shape?", "is there a circle?"


def ask(question, images):
    answers = ka.predict(model, {"image": images, "question_ids": [question] * len(images)})
    return [answer.label for answer in answers]


colors_right = np.mean(
    [answer == label[1] for answer, label in zip(ask(COLOR, images), labels, strict=True)]
)
circles_right = np.mean(
    [
        (answer == "yes") == (label[0] == "circle")
        for answer, label in zip(ask(CIRCLE, images), labels, strict=True)
    ]
)
print(f"right about colors: {colors_right:.2f}, about circles: {circles_right:.2f}")
assert colors_right > 0.9
assert circles_right > 0.9

# %% [markdown]
# What did it read? Weights alone do not tell which of the read things counted. `relevance` also
# follows the gradient of the answer (see [lesson 22](22_do_weights_explain.py)). It gives a number
# for each of the 64 patches.


# %%
def explain(question):  # (B, 8, 8), each picture's sum is 1
    x = ka.encode(model, {"image": images, "question_ids": [question] * len(images)})
    scores = ka.explain.relevance(model, x, name="image").scores  # (B, S)
    return (scores / scores.sum(axis=1, keepdims=True)).reshape(-1, 8, 8)


heat = {question: explain(question) for question in (COLOR, CIRCLE)}
touched = inside.reshape(-1, 8, 8, 8, 8).any(axis=(2, 4))  # (B, 8, 8): patches with some of it
on_shape = {question: (h * touched).sum(axis=(1, 2)).mean().item() for question, h in heat.items()}
print(
    "relevance on the shape:", {question: round(share, 2) for question, share in on_shape.items()}
)
print("its share of the patches:", round(touched.mean(), 2))
assert min(on_shape.values()) > 0.6 > 0.3 > touched.mean()
np.testing.assert_allclose(heat[COLOR].size, 24 * 64)

# %% mystnb={"image": {"alt": "A picture of a circle, and beside it two maps of heat of 8 by 8 cells, one for each question. In both the heat lies on the circle, in different cells."}}
number = labels.index(("circle", "teal"))
figure, axes = plt.subplots(1, 3, figsize=(7, 2.9), layout="constrained")
axes[0].imshow(images[number])
axes[0].set_title("the picture", fontsize=10)
top = max(h[number].max() for h in heat.values())
for ax, (question, h) in zip(axes[1:], heat.items(), strict=True):
    place = (-0.5, 63.5, 63.5, -0.5)
    shown = ax.imshow(h[number], cmap="viridis", vmin=0, vmax=top, extent=place)
    ax.contour(inside[number], levels=[0.5], colors="white", linewidths=1.5)
    ax.set_title(question, fontsize=10)
for ax in axes:
    ax.set(xticks=[], yticks=[])
figure.colorbar(shown, ax=axes[1:], label="relevance of a patch", shrink=0.8)
_ = figure.suptitle("Each question reads the picture in its own way")

# %% [markdown]
# Left the picture; beside it the relevance of its 8 by 8 patches, both on one scale. The white line
# is the shape. Bright cells spoke for the answer.

# %% [markdown]
# ## Change
#
# Does the model use the picture at all? The honest test is to take it away. Give it a blank sheet.
# Then each question has one answer, whatever was in the picture. Of eight colors at most one in
# eight can be right. This is the **question-only baseline**, and every such model should be
# compared with it.

# %%
blank = True  # CHANGE ME: try False

sheets = np.full_like(images, 240) if blank else images
answers = ask(COLOR, sheets)
right = np.mean([answer == color for answer, (_, color) in zip(answers, labels, strict=True)])
print("answers:", sorted(set(answers)), "right:", float(right))

# %%
if blank:
    assert len(set(answers)) == 1
    assert right <= 1 / 8 < colors_right

# %% [markdown]
# On yes-or-no questions the same test is less kind: always "no" is right for two of three
# shapes. A model that never looks seems to know something.

# %%
assert len(set(ask(CIRCLE, sheets))) == 1 or not blank

# %% [markdown]
# ## Mistakes
#
# - **Query and value swapped.** Then patches ask and words answer: one row for each patch. There
#   is no error if both have the same width.
# - **The mask of the words on the patches.** A mask of keys belongs to the picture.
# - **No question-only baseline.** High accuracy may come from words alone.
# - **Colors from 0 to 1** where the model expects 0 to 255. All looks black.
# - **Heat of another picture's scale.** Two maps can be compared only on one scale.
# - **One map of all words.** Take the row of the word you mean, or the class token's.

# %% [markdown]
# ## Exercises
#
# 1. In the example by hand: how does the output of the first word change if patch 1 gets a bit more
#    red? (Follow the gradient into the picture.)
# 2. A caption is written word by word, and each step asks anew. Give the two queries of "By hand"
#    as two steps, and read the words off.
# 3. What happens to the weights of a word if the same picture is given twice, side by side?

# %% tags=["hide-cell"]
# 1. By 3/4 of it: the gradient of the output by a value is the weight.
values = np.eye(2)  # (S, H): red, blue
more = values + np.array([[0.01, 0], [0, 0]])
change = softmax(words @ keys.T) @ more - softmax(words @ keys.T) @ values
np.testing.assert_allclose(change[0, 0] / 0.01, 3 / 4)

# %% tags=["hide-cell"]
# 2. Red, then blue.
written = [("red", "blue")[i] for i in (softmax(words @ keys.T) @ values).argmax(axis=1)]
assert written == ["red", "blue"]

# %% tags=["hide-cell"]
# 3. Each weight is halved, and the output stays: a softmax counts copies.
twice = softmax(words @ np.concatenate([keys, keys]).T)
np.testing.assert_allclose(twice[:, :2], softmax(words @ keys.T) / 2)
np.testing.assert_allclose(
    twice @ np.concatenate([values, values]), softmax(words @ keys.T) @ values
)

# %% [markdown]
# ## Limits and sources
#
# These pictures have one shape on a plain ground. Photographs have many things, and words such as
# "left of" need more than one look. There are other ways to join words and patches. One sequence of
# both, with self-attention, is the simplest (`fusion="single"` of the model). To let each side read
# the other costs more (`fusion="co"`).
#
# - Xu et al., 2015, captions: [arXiv 1502.03044](https://arxiv.org/abs/1502.03044).
# - Lu et al., 2019, each reads the other: [arXiv 1908.02265](https://arxiv.org/abs/1908.02265).
# - Kim et al., 2021, one sequence: [arXiv 2102.03334](https://arxiv.org/abs/2102.03334).
# - Why baselines without pictures: Goyal et al., 2017,
#   [arXiv 1612.00837](https://arxiv.org/abs/1612.00837).
#
# Next: [What does an agent attend to?](21_agents.py)
