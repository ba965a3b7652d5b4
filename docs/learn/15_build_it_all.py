# %% [markdown]
# # Can I build it all?
#
# Yes: a GPT is some sixty lines of array arithmetic, and this page writes every one of them.
# It then trains them, lets them write, and finds the same numbers in the library.

# %% [markdown]
# ## You need
#
# [Pre-norm blocks](10_what_holds_a_block.py) and [how a decoder learns](12_teacher_forcing.py); all
# else is repeated in a line.
#
# - $B$ texts of $T$ tokens; $V$ tokens in the vocabulary; $D$ numbers for each token.
# - $N$ heads of size $H = D/N$; $F$: inner width of the feed-forward network; $L$ blocks.
# - $X$: all tokens of a text as rows, $(T, D)$.

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
# A transformer is a stack of rows that everybody adds to. Each token is a row of $D$ numbers. It
# begins as "which word" plus "which place". Then, again and again, two things happen to it:
#
# 1. **Attention**: the rows look at each other, and each adds what it found.
# 2. **Feed-forward**: each row thinks for itself, and adds its result.
#
# Nothing is ever overwritten, only added. That is why a deep stack can be trained: there is a
# straight way from the last row back to the first. At the end each row is compared with all words
# of the vocabulary, and the most similar one is the guess.
#
# The task of our model: read five letters and a bar, then write the letters in reverse order. After
# `c a f e b |` it must write `b e f a c`. It cannot be solved by counting letters. Each new letter
# has to be fetched from one certain place.

# %% [markdown]
# ## The equation
#
# For $L$ blocks, with $X_0 = E[\text{ids}] + P$, word table $E$ and place table $P$:
#
# $$X' = X + \mathrm{Attention}(\mathrm{LN}(X))$$
#
# $$X'' = X' + \mathrm{FFN}(\mathrm{LN}(X'))$$
#
# $$\mathrm{Attention}(X) = \big[\mathrm{softmax}(Q_n K_n^\top/\sqrt{H} + M)\, V_n\big]_{n=1..N}
# W^O$$
#
# $$\mathrm{FFN}(x) = \mathrm{GELU}(xW_1+b_1)W_2+b_2$$
#
# $$\mathrm{logits} = \mathrm{LN}(X_L)\, E^\top$$
#
# The brackets put the heads side by side; $M$ hides later places. Equations 1 and 2 of Vaswani et
# al., 2017 ([arXiv 1706.03762](https://arxiv.org/abs/1706.03762)), and the order of norms of Xiong
# et al., 2020 ([arXiv 2002.04745](https://arxiv.org/abs/2002.04745)). GELU is a smooth ReLU. The
# table $E$ serves twice (Press and Wolf, 2017).

# %% [markdown]
# ## By hand
#
# **One token through the model.** Let its word be (1, 0) and its place (0, 3), so $X_0=(1, 3)$. Let
# the blocks add nothing yet. The norm takes off the mean 2 and divides by the deviation 1:
# (-1, 1). The vocabulary has two words, (1, 0) and (0, 1). So the logits are -1 and 1, and the
# second word gets the probability $e/(e+1/e)=0.8808$.
#
# **How many numbers does it learn?** Take $V=9$, $D=32$, $F=64$, $L=2$ and 10 places. A block has
# four $D \times D$ kernels and biases, $4D^2+4D=4224$; two more of the feed-forward network,
# $2DF+F+D=4192$; two norms, $4D=128$: 8544 in all. Two blocks, two tables and the last norm:
# $2 \cdot 8544 + 9 \cdot 32 + 10 \cdot 32 + 64 = 17760$.

# %%
x = np.array([1.0, 0]) + np.array([0, 3.0])  # (D,)
np.testing.assert_allclose((x - x.mean()) / x.std(), [-1, 1])
np.testing.assert_allclose(np.e / (np.e + 1 / np.e), 0.8808, atol=1e-4)
V, D, N, F, L, T = 9, 32, 4, 64, 2, 10
H = D // N
assert (4 * D**2 + 4 * D, 2 * D * F + F + D, 4 * D) == (4224, 4192, 128)
assert 4224 + 4192 + 128 == 8544
assert L * 8544 + V * D + T * D + 2 * D == 2 * 8544 + 9 * 32 + 10 * 32 + 64 == 17760

# %% [markdown]
# ## In code
#
# Functions first. `w` is a dict of weights; nothing here comes from a layer.


# %%
def normalize(x, gamma, beta):  # each row to mean 0 and deviation 1
    x = x - ops.mean(x, axis=-1, keepdims=True)
    return x / ops.sqrt(ops.mean(x * x, axis=-1, keepdims=True) + 1e-5) * gamma + beta


def project(x, w, name):
    return ops.matmul(x, w[f"{name}_kernel"]) + w[f"{name}_bias"]


def split_heads(x):  # (B, T, D) to (B, N, T, H)
    return ops.transpose(ops.reshape(x, (-1, x.shape[1], N, H)), (0, 2, 1, 3))


def attend(x, w):  # (B, T, D)
    q, k, v = (split_heads(project(x, w, name)) for name in ("query", "key", "value"))
    scores = ops.matmul(q, ops.swapaxes(k, 2, 3)) / H**0.5  # (B, N, T, T)
    sees = np.tril(np.ones(scores.shape[2:], bool))  # never later places
    weights = ops.softmax(ops.where(sees, scores, -1e9))  # each row sees itself
    y = ops.transpose(ops.matmul(weights, v), (0, 2, 1, 3))  # (B, T, N, H)
    return project(ops.reshape(y, (-1, x.shape[1], D)), w, "output")


def feed_forward(x, w):  # (B, T, D)
    hidden = ops.gelu(project(x, w, "inner"), approximate=False)  # (B, T, F)
    return project(hidden, w, "outer")


def block(x, w):  # (B, T, D)
    x = x + attend(normalize(x, w["norm_1_gamma"], w["norm_1_beta"]), w)
    return x + feed_forward(normalize(x, w["norm_2_gamma"], w["norm_2_beta"]), w)


# %% [markdown]
# The model makes the weights and calls the functions. Keras's `fit` finds the gradients.


# %%
class GPT(keras.Model):
    def __init__(self, positions=True, num_blocks=L):
        super().__init__()
        self.table = self.add(V, D, "random_normal")
        self.places = self.add(T, D, "random_normal") if positions else None
        self.norm = [self.add(D, start="ones"), self.add(D, start="zeros")]
        self.blocks = []
        for _ in range(num_blocks):
            w = {}
            for name in ("query", "key", "value", "output"):
                w[f"{name}_kernel"], w[f"{name}_bias"] = self.add(D, D), self.add(D, start="zeros")
            w["inner_kernel"], w["inner_bias"] = self.add(D, F), self.add(F, start="zeros")
            w["outer_kernel"], w["outer_bias"] = self.add(F, D), self.add(D, start="zeros")
            for name in ("norm_1", "norm_2"):
                w[f"{name}_gamma"] = self.add(D, start="ones")
                w[f"{name}_beta"] = self.add(D, start="zeros")
            self.blocks.append(w)

    def add(self, rows, columns=None, start="glorot_uniform"):
        shape = (rows,) if columns is None else (rows, columns)
        return self.add_weight(shape=shape, initializer=start)

    def call(self, ids):  # (B, T)
        x = ops.take(self.table, ids, axis=0)  # (B, T, D)
        if self.places is not None:
            x = x + self.places[: ids.shape[1]]
        for w in self.blocks:
            x = block(x, w)
        return ops.matmul(normalize(x, *self.norm), ops.transpose(self.table))  # (B, T, V)


# %% [markdown]
# Now the data, the loss and the writing. Ids 0 to 7 are letters, 8 is the bar. Input and target
# are the same text, shifted once. The five letters to read are random, so nobody can guess them:
# they get the weight 0. Padding never enters the loss that way either.

# %%
BAR, LENGTH = 8, 5


def make_texts(count, seed):  # (B, 11): letters, bar, letters in reverse
    letters = np.random.default_rng(seed).integers(0, 8, (count, LENGTH))
    return np.concatenate([letters, np.full((count, 1), BAR), letters[:, ::-1]], axis=1)


def train(model):
    texts = make_texts(6400, seed=1)
    weights = np.ones((6400, T)) * (np.arange(T) >= LENGTH)  # (B, T), 0 before the bar
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss)
    model.fit(
        texts[:, :-1], texts[:, 1:], sample_weight=weights, batch_size=64, epochs=5, verbose=0
    )
    return model


def write(model, texts):  # reads up to the bar, then writes five letters, greedily
    ids = np.zeros((len(texts), T + 1), "int32")  # what is not written yet is hidden by the mask
    ids[:, : LENGTH + 1] = texts[:, : LENGTH + 1]
    for t in range(LENGTH, T):
        logits = ops.convert_to_numpy(model(ids[:, :T]))  # (B, T, V)
        ids[:, t + 1] = logits[:, t].argmax(-1)
    return ids


def share_right(model):  # of 200 texts that it has not seen
    texts = make_texts(200, seed=2)
    return float(np.mean((write(model, texts) == texts).all(axis=1)))


keras.utils.set_random_seed(0)
model = train(GPT())
assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 17760
print("reversed without a mistake:", share_right(model))
names = [*"abcdefgh", "|"]
for ids in write(model, make_texts(3, seed=4)):
    print(" ".join(names[i] for i in ids))

# %%
assert share_right(model) > 0.9

# %% [markdown]
# ## In the library
#
# The same model of five kinds of layers, with our weights. Logits agree. Where our function is,
# there is a layer: `attend` is `keras_attention/layers/attention/multi_head_self_attention.py`,
# `block` is `keras_attention/layers/blocks/transformer_block.py`, `feed_forward` is
# `keras_attention/layers/blocks/feed_forward.py`. `zoo/models/gpt.py` puts them together.

# %%
token_ids = keras.Input((T,), dtype="int32")
table = ka.layers.TokenEmbedding(V, D)
places = ka.layers.PositionalEncoding("learned", T)
blocks = [ka.layers.TransformerBlock(N, F, causal=True, name=f"block_{i}") for i in range(L)]
norm = keras.layers.LayerNormalization(epsilon=1e-5)
x = places(table(token_ids))  # (B, T, D)
for layer in blocks:
    x = layer(x)
twin = keras.Model(token_ids, table(norm(x), reverse=True))  # (B, T, V)

table.set_weights([model.table])
places.set_weights([model.places])
norm.set_weights(model.norm)
for layer, w in zip(blocks, model.blocks, strict=True):
    for name in ("query", "key", "value", "output"):
        getattr(layer.attention, f"{name}_kernel").assign(w[f"{name}_kernel"])
        getattr(layer.attention, f"{name}_bias").assign(w[f"{name}_bias"])
    layer.attention_norm.set_weights([w["norm_1_gamma"], w["norm_1_beta"]])
    layer.feed_forward.input_kernel.assign(w["inner_kernel"])
    layer.feed_forward.input_bias.assign(w["inner_bias"])
    layer.feed_forward.output_kernel.assign(w["outer_kernel"])
    layer.feed_forward.output_bias.assign(w["outer_bias"])
    layer.feed_forward_norm.set_weights([w["norm_2_gamma"], w["norm_2_beta"]])

ids = make_texts(4, seed=3)[:, :-1]  # (B, T)
word = [2, 0, 5, 4, 1]  # c a f e b, to look at below
ids[0] = [*word, BAR, *word[:0:-1]]
ours, theirs = ops.convert_to_numpy(model(ids)), ops.convert_to_numpy(twin(ids))
np.testing.assert_allclose(ours, theirs, atol=1e-3, rtol=1e-4)
assert twin.count_params() == 17760

# %% [markdown]
# ## Look
#
# A map of the parts, and what the trained model looks at. `ka.capture` collects the weights.

# %%
with ka.capture() as maps:
    twin(ids)
weights = np.stack([ops.convert_to_numpy(w) for w in maps.values()])  # (L, B, N, T, T)
writing, reading = range(LENGTH, T), range(LENGTH)
mirror = weights[..., writing, reading[::-1]].mean(axis=(1, 3))  # (L, N), to the mirror place
deepest, head = np.unravel_index(mirror.argmax(), mirror.shape)
print("weight on the mirror place, by layer and head:", mirror.round(2))
assert mirror.max() > 0.4

# %% mystnb={"image": {"alt": "Left: boxes from bottom to top: ids, word table plus place table, then twice norm, attention, plus, norm, feed-forward, plus, then norm, word table, logits. Right: a ten by ten map of attention; the last five rows have their dark cells on a falling line to the first five columns."}}
figure, (left, right) = plt.subplots(
    1, 2, figsize=(7, 4.6), width_ratios=(2, 3), layout="constrained"
)
parts = (
    ("ids", "white"),
    ("word table + places", "#bddf26"),
    ("norm, attention", "#22a884"),
    ("add to the row", "white"),
    ("norm, feed-forward", "#7ad151"),
    ("add to the row", "white"),
    ("norm, word table", "#bddf26"),
    ("logits", "white"),
)
for y, (name, colour) in enumerate(parts):
    box = dict(boxstyle="round,pad=0.35", facecolor=colour)
    left.text(0, y, name, ha="center", va="center", bbox=box, fontsize=9)
    if y:
        left.annotate("", (0, y - 0.3), (0, y - 0.7), arrowprops=dict(arrowstyle="->"))
left.text(1.05, 3.5, f"{L} times", va="center", rotation=90, fontsize=9)
left.plot([0.95, 0.95], [1.7, 5.3], color="black")
left.set(xlim=(-1, 1.3), ylim=(-0.5, 7.6), title="The parts, from below")
left.axis("off")
shown = right.imshow(weights[deepest, 0, head], cmap="viridis", vmin=0, vmax=1)
labels = [names[i] for i in ids[0]]
right.set_xticks(range(T), labels)
right.set_yticks(range(T), labels)
right.set(xlabel="token that is read", ylabel="token that reads")
right.set_title("To write, it reads the mirror place", fontsize=11)
_ = figure.colorbar(shown, ax=right, label="weight", shrink=0.7)

# %% [markdown]
# Right: a row is a token, bright cells are what it reads. From the bar on, each row looks one
# place further to the left: for the letter that it must write next. The upper right is hidden.

# %% [markdown]
# ## Change
#
# Take the place table away, in a model of one block. What do you expect?
#
# Without places a row is a word and nothing else. Attention then sees which letters there are, and
# not where: shuffle the earlier rows, and the sum is the same. So the bar cannot know which of five
# letters came last. Whole texts come out right by luck alone. With places, one block is enough.

# %%
positions, num_blocks = False, 1  # CHANGE ME: try True, or two blocks

shares = {}
for name, with_places, count in (("one block", True, 1), ("changed", positions, num_blocks)):
    keras.utils.set_random_seed(0)
    shares[name] = share_right(train(GPT(with_places, count)))
print(shares)

# %%
assert shares["one block"] > 0.8
nowhere, texts = GPT(positions=False, num_blocks=1), make_texts(4, seed=4)[:, :-1]  # (B, T)
shuffled = texts.copy()
shuffled[:, :LENGTH] = texts[:, [3, 0, 4, 1, 2]]
at_bar = [ops.convert_to_numpy(nowhere(ids))[:, LENGTH] for ids in (texts, shuffled)]  # (B, V)
np.testing.assert_allclose(*at_bar, atol=1e-5)  # it cannot tell, trained or not
if not positions and num_blocks == 1:
    assert shares["changed"] < 0.3

# %% [markdown]
# Now try two blocks without places. Many texts come out right! The causal mask is a position of
# its own: early rows see few others, late rows see many. The first block can count, and the second
# one uses it. A model that looks both ways has no such way out.

# %% [markdown]
# ## Mistakes
#
# - **Heads split in the wrong order.** Reshape to $(B, T, N, H)$, then swap. To reshape straight
#   to $(B, N, T, H)$ mixes tokens and heads; it trains, and badly.
# - **The root of $D$** in place of the root of $H$. Each head multiplies vectors of size $H$.
# - **Softmax over the wrong axis.** Rows must sum to 1, over keys.
# - **No last norm** in a pre-norm model. The rows have grown with each block.
# - **Two norms in one.** Our `gamma` and `beta` belong to one norm each; blocks share none.
# - **GELU by tanh against the exact one.** Logits then nearly agree, and one hunts for a bug that
#   is not there.

# %% [markdown]
# ## Exercises
#
# 1. Add cross-attention: queries from one text, keys and values from another. What has to change
#    in `attend`?
# 2. Add a cache: give `attend` only the new row, and the keys and values of the old ones.
# 3. GPT-2 small has $V=50257$, $D=768$, $F=3072$, $L=12$ and 1024 places. How many weights?

# %% tags=["hide-cell"]
# 1. Keys and values are of the memory, and the mask goes: all of a memory may be seen.


def cross_attend(x, memory, w):  # (B, T, D), (B, S, D)
    q = split_heads(project(x, w, "query"))
    k, v = (split_heads(project(memory, w, name)) for name in ("key", "value"))
    weights = ops.softmax(ops.matmul(q, ops.swapaxes(k, 2, 3)) / H**0.5)  # (B, N, T, S)
    y = ops.transpose(ops.matmul(weights, v), (0, 2, 1, 3))
    return project(ops.reshape(y, (-1, x.shape[1], D)), w, "output")


rng = np.random.default_rng(0)
x = rng.normal(size=(2, 3, D)).astype("float32")
memory = rng.normal(size=(2, 7, D)).astype("float32")
layer = ka.layers.MultiHeadCrossAttention(N)
layer.build(x.shape, memory.shape)
w = model.blocks[0]
for name in ("query", "key", "value", "output"):
    getattr(layer, f"{name}_kernel").assign(w[f"{name}_kernel"])
    getattr(layer, f"{name}_bias").assign(w[f"{name}_bias"])
expected = ops.convert_to_numpy(layer(x, memory))
np.testing.assert_allclose(
    ops.convert_to_numpy(cross_attend(x, memory, w)), expected, atol=1e-4, rtol=1e-4
)

# %% tags=["hide-cell"]
# 2. Old keys and values are put in front of the new ones; there is nothing to hide.


def attend_step(row, keys, values, w):  # (B, 1, D), (B, N, t - 1, H) twice
    q, k, v = (split_heads(project(row, w, name)) for name in ("query", "key", "value"))
    keys, values = ops.concatenate([keys, k], axis=2), ops.concatenate([values, v], axis=2)
    weights = ops.softmax(ops.matmul(q, ops.swapaxes(keys, 2, 3)) / H**0.5)  # (B, N, 1, t)
    y = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
    return project(ops.reshape(y, (-1, 1, D)), w, "output"), keys, values


keys, values = (split_heads(project(memory[:, :1], w, name)) for name in ("key", "value"))
for t in range(1, 7):
    row, keys, values = attend_step(memory[:, t : t + 1], keys, values, w)
last = ops.convert_to_numpy(attend(memory, w))[:, -1:]
np.testing.assert_allclose(ops.convert_to_numpy(row), last, atol=1e-4, rtol=1e-4)


# %% tags=["hide-cell"]
# 3. 124 million, of which a third is the table of words.
def count(V, D, F, L, T):
    return L * (4 * D**2 + 4 * D + 2 * D * F + F + D + 4 * D) + V * D + T * D + 2 * D


assert count(9, 32, 64, 2, 10) == 17760
assert count(V=50257, D=768, F=3072, L=12, T=1024) == 124439808

# %% [markdown]
# ## Limits and sources
#
# What large models have beside this: more of everything, dropout, rotary positions, grouped heads,
# a warmup, and code that makes the same arithmetic fast. None of it changes the map above. An
# encoder is this without the mask; a translator is an encoder and a decoder with cross-attention.
#
# - Vaswani et al., 2017, [arXiv 1706.03762](https://arxiv.org/abs/1706.03762), figure 1.
# - Radford et al., 2019, GPT-2; Xiong et al., 2020,
#   [arXiv 2002.04745](https://arxiv.org/abs/2002.04745).
# - Tied tables: Press and Wolf, 2017, [arXiv 1608.05859](https://arxiv.org/abs/1608.05859).
# - Causal models without positions: Haviv et al., 2022,
#   [arXiv 2203.16634](https://arxiv.org/abs/2203.16634).
#
# Next: [How to afford long texts?](16_long_texts.py)
