# %% [markdown]
# # How does attention see?
#
# A picture is cut into patches, each patch becomes a token, and from there on it is a text.
# An extra class token reads the patches and collects the answer.

# %% [markdown]
# ## You need
#
# [Where queries, keys and values come from](05_where_qkv_come_from.py) and [how order
# enters](08_how_order_enters.py).
#
# - $B$ pictures of height and width with $C$ channels (1 for grey).
# - $P$: side of a patch in pixels; $S$: number of patches; $D$: width of a token.
# - $E$: a matrix that turns the $P \cdot P \cdot C$ pixels of a patch into $D$ numbers.

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
# Attention takes a set of tokens. A picture has pixels. Why not one token for each pixel? A
# picture of 224 by 224 pixels has 50176 of them, and attention forms pairs: more than two thousand
# million. So the vision transformer (ViT) cuts the picture into squares, like a tiled floor. With
# tiles of 16 by 16 there are 196. Each is flattened and multiplied by one learned matrix. That is
# all that is left of the picture: 196 tokens, as in a text of 196 words.
#
# *Where is the answer read?* ViT puts a **class token** in front: a learned vector that belongs to
# no patch. Layer by layer it reads the patches, and at the end it alone is classified. It is a
# question that the model asks of every picture.
#
# *Why not the mean of all patches?* One can take it, and many models do. The mean counts the
# background as much as the thing. A class token weighs, and its weights can be looked at.
#
# *Is not a lot lost by one matrix for each patch?* The matrix has as many columns as a token has
# numbers, often more than a patch has pixels. Nothing need be lost. It learns stripes, spots and
# color contrasts, much as the first layer of a convolutional network does.
#
# *Does it know what is next to what?* Not by itself. Shuffle the patches and attention gives the
# same answer. Positions must be added, as in a text. A convolution has neighbours built in; ViT
# has to learn them. That is why it wants more data.

# %% [markdown]
# ## The equation
#
# Dosovitskiy et al., 2021 ([arXiv 2010.11929](https://arxiv.org/abs/2010.11929), equation 1):
#
# $$z_0 = [\,x_{\text{class}};\ x_1 E;\ x_2 E;\ \dots;\ x_S E\,] + E_{\text{pos}}$$
#
# Here $x_s$ are the pixels of patch $s$, and $E_{\text{pos}}$ is a table of positions. Blocks
# follow. **Swin** (section 3.2 of Liu et al., 2021,
# [arXiv 2103.14030](https://arxiv.org/abs/2103.14030)) keeps small patches and lets each attend
# within a window. In every other layer the windows are shifted by half their size, so that what was
# on two sides of a border meets.

# %% [markdown]
# ## By hand
#
# **Patches.** A picture of 4 by 4 pixels, numbered from 0 row by row, and patches of 2 by 2. Let
# $E$ take the mean, so each weight is 1/4. The first patch has the pixels 0, 1, 4, 5: mean 2.5. The
# four tokens are 2.5, 4.5, 10.5, 12.5.
#
# **Windows.** Take each of the 16 pixels for a token. All pairs are 256. In windows of 2 by 2
# there are 4 windows with 16 pairs each: 64. Shift the windows by one. Rows now fall into groups of
# 1, 2 and 1, and so do columns. The pairs are $(1+4+1)^2=36$.

# %%
pixels = np.arange(16.0).reshape(4, 4)
assert pixels[:2, :2].mean() == (0 + 1 + 4 + 5) / 4 == 2.5
assert 16 * 16 == 256
assert 4 * 4**2 == 64
assert (1**2 + 2**2 + 1**2) ** 2 == 36
assert 224 * 224 == 50176
assert 50176**2 > 2e9
assert (224 // 16) ** 2 == 196

# %% [markdown]
# ## In code


# %%
def cut(images, size):  # (B, height, width, C) to (B, S, size * size * C)
    batch, height, width, channels = images.shape
    rows, columns = height // size, width // size
    x = images.reshape(batch, rows, size, columns, size, channels)
    x = x.transpose(0, 1, 3, 2, 4, 5)  # (B, rows, columns, size, size, C)
    return x.reshape(batch, rows * columns, size * size * channels)


def windows(side, size, shift):  # (T, T): which tokens of a grid share a window
    group = (np.arange(side) + size - shift) // size if shift else np.arange(side) // size
    label = (group[:, None] * side + group).reshape(-1)  # (T,), of the window of each token
    return label[:, None] == label[None, :]


def attend(x, mask):  # (T, D), (T, T), with identities as projections
    scores = np.where(mask, x @ x.T / np.sqrt(x.shape[1]), -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ x


tokens = cut(pixels[None, :, :, None], 2) @ np.full((4, 1), 1 / 4)  # (B, S, D)
assert tokens[0, :, 0].tolist() == [2.5, 4.5, 10.5, 12.5]
assert windows(4, 2, shift=0).sum() == 64
assert windows(4, 2, shift=1).sum() == 36

# %% [markdown]
# ## In the library
#
# Patches are `keras_attention/layers/inputs/patch_embedding.py`: a convolution whose step is its
# size, which is the same as to cut and multiply. Windows are
# `keras_attention/layers/attention/shifted_window_attention.py`, with their groups in
# `keras_attention/ops/windows.py`. The whole model is `zoo/models/vit.py`.

# %%
embedding = ka.layers.PatchEmbedding(1, patch_size=2)
image = pixels[None, :, :, None].astype("float32")  # (B, height, width, C)
embedding.build(image.shape)
kernel, bias = embedding.weights
kernel.assign(np.full(kernel.shape, 1 / 4))
bias.assign([0])
np.testing.assert_allclose(ops.convert_to_numpy(embedding(image)), tokens)

rng = np.random.default_rng(0)
grid = rng.normal(size=(16, 4))  # (T, D), 4 by 4 tokens
for shift in (0, 1):
    swin = ka.layers.ShiftedWindowAttention(2, shift=shift, use_bias=False)
    layer = ka.layers.MultiHeadSelfAttention(1, use_bias=False, mechanism=swin)
    layer.build((None, 16, 4))
    for weight in layer.trainable_weights:
        weight.assign(np.eye(4))
    output = ops.convert_to_numpy(layer(grid[None].astype("float32")))[0]
    np.testing.assert_allclose(output, attend(grid, windows(4, 2, shift)), atol=1e-5)

# %% [markdown]
# ## Look
#
# Pictures of 16 by 16 pixels, dark and noisy. In one of 16 places there is a small shape: a bar, an
# upright bar, a slash or a backslash. Or there is none. The model must say which. It is never told
# where to look. It has one block, and no positions: the shape counts, not the place.

# %%
SHAPES = np.zeros((4, 4, 4))
SHAPES[0, 1:3] = SHAPES[1, :, 1:3] = 1  # a bar, an upright bar
SHAPES[2] = np.eye(4)[::-1] + np.eye(4, k=1)[::-1]  # a slash
SHAPES[3] = np.eye(4) + np.eye(4, k=1)  # a backslash


def draw(count, seed):  # (B, 16, 16, 1), shape (B,), place (B,)
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 0.5, (count, 16, 16, 1))
    shape, place = rng.integers(0, 5, count), rng.integers(0, 16, count)  # shape 4 is none
    for image, s, p in zip(images, shape, place, strict=True):
        row, column = 4 * (p // 4), 4 * (p % 4)
        if s < 4:
            image[row : row + 4, column : column + 4, 0] = SHAPES[s]
    return images.astype("float32"), shape, place


def make_model(positions):
    image = keras.Input((16, 16, 1))
    x = ka.layers.PatchEmbedding(32, patch_size=4)(image)  # (B, S, D)
    x = ka.layers.ClassToken()(x)  # (B, 1 + S, D)
    if positions:
        x = ka.layers.PositionalEncoding("learned", 17)(x)
    x = ka.layers.TransformerBlock(4, 64)(x)
    return keras.Model(image, keras.layers.Dense(5)(x[:, 0]))  # (B, answers)


keras.utils.set_random_seed(0)
model = make_model(positions=False)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.003), loss)
images, shape, _ = draw(3200, seed=1)
model.fit(images, shape, batch_size=64, epochs=8, verbose=0)

images, shape, place = draw(200, seed=2)  # that it has not seen
with ka.capture() as maps:
    answers = ops.convert_to_numpy(model(images)).argmax(-1)
(weights,) = (ops.convert_to_numpy(w) for w in maps.values())  # (B, N, 1 + S, 1 + S)
heat = weights[:, :, 0, 1:].mean(axis=1)  # (B, S): class token to patches, mean over heads
right, looked = np.mean(answers == shape), np.mean((heat.argmax(-1) == place)[shape < 4])
print(f"right: {right:.2f}, looks most at the shape: {looked:.2f}")
assert right > 0.9
assert looked > 0.7

# %% mystnb={"image": {"alt": "Four noisy pictures, each with one small shape. Below each, a four by four map whose brightest cell is where the shape is."}}
figure, axes = plt.subplots(2, 4, figsize=(7, 3.7), layout="constrained")
numbers = [np.flatnonzero(shape == column)[0] for column in range(4)]
for column, number in enumerate(numbers):
    axes[0, column].imshow(images[number, :, :, 0], cmap="gray", vmin=0, vmax=1)
    axes[1, column].imshow(images[number, :, :, 0] * 0.4, cmap="gray", vmin=0, vmax=1)
    shown = axes[1, column].imshow(
        heat[number].reshape(4, 4),
        cmap="viridis",
        alpha=0.75,
        vmin=0,
        vmax=heat[numbers].max(),
        extent=(-0.5, 15.5, 15.5, -0.5),
    )
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("picture")
axes[1, 0].set_ylabel("heat")
figure.colorbar(shown, ax=axes[1], label="weight")
_ = figure.suptitle("The class token looks where the shape is")

# %% [markdown]
# Above the picture; below the same picture, dimmed, with the weights of the class token. All maps
# share one scale. A bright cell is a patch that the class token reads.

# %% [markdown]
# ## Change
#
# Shuffle the patches of a picture, all the same way. Without positions the class token reads the
# same set, so the answer must not change at all. With positions it does.

# %%
positions = False  # CHANGE ME: try True

keras.utils.set_random_seed(0)
fresh = make_model(positions)
order = np.random.default_rng(0).permutation(16)
tiles = images.reshape(-1, 4, 4, 4, 4, 1).transpose(0, 1, 3, 2, 4, 5)  # (B, rows, columns, ...)
tiles = tiles.reshape(-1, 16, 4, 4, 1)[:, order].reshape(-1, 4, 4, 4, 4, 1)
shuffled = tiles.transpose(0, 1, 3, 2, 4, 5).reshape(images.shape)
change = np.abs(ops.convert_to_numpy(fresh(shuffled) - fresh(images))).max()
print(f"largest change of a logit: {change:.1e}")

# %%
assert np.abs(shuffled - images).max() > 0.5  # the pictures are others
assert change > 1e-4 if positions else change < 1e-4

# %% [markdown]
# ## Mistakes
#
# - **Reshape without transpose.** `images.reshape(B, S, P * P)` cuts strips of rows, no squares. It
#   trains, and badly.
# - **The class token counted as a patch.** A map has one row and one column more. Cut them off
#   before you draw; with one column too many the heat slides sideways.
# - **Rows of a heatmap mixed up.** Row 0 is what the class token reads. Column 0 is who reads the
#   class token.
# - **Whole bytes as pixels** where the model expects numbers from 0 to 1.
# - **A larger picture with the old table of positions.** The table must be resampled.
# - **All Swin windows at the same place.** Nothing ever crosses a border.

# %% [markdown]
# ## Exercises
#
# 1. How many tokens has a picture of 28 by 28 with patches of 4, class token included? How many
#    pairs? What do patches of 2 cost?
# 2. On the grid of 4 by 4 tokens, who sees token 5, before and after the shift?
# 3. Show that a convolution of step $P$ and size $P$ is "cut and multiply".

# %% tags=["hide-cell"]
# 1. 50 tokens and 2500 pairs; with half the side 197 tokens and 38809 pairs, 15.5 times as many.
count = (28 // 4) ** 2 + 1
small = (28 // 2) ** 2 + 1
assert (count, count**2, small, small**2) == (50, 2500, 197, 38809)
assert round(small**2 / count**2, 1) == 15.5

# %% tags=["hide-cell"]
# 2. Before: 0, 1, 4, 5. After: 5, 6, 9, 10, once on four sides of two borders.
assert np.flatnonzero(windows(4, 2, 0)[5]).tolist() == [0, 1, 4, 5]
assert np.flatnonzero(windows(4, 2, 1)[5]).tolist() == [5, 6, 9, 10]

# %% tags=["hide-cell"]
# 3. With any kernel.
embedding = ka.layers.PatchEmbedding(8, patch_size=4)
made = ops.convert_to_numpy(embedding(images[:2]))  # (B, S, D)
kernel, bias = (ops.convert_to_numpy(w) for w in embedding.weights)
np.testing.assert_allclose(made, cut(images[:2], 4) @ kernel.reshape(-1, 8) + bias, atol=1e-5)

# %% [markdown]
# ## Limits and sources
#
# Our picture makes the map easy to read, because there is one thing to see. In a deep model the
# patches mix before the class token reads them. A map of the last layer then shows mixed tokens
# at their old places. [Lesson 22](22_do_weights_explain.py) measures how far such maps can be
# trusted.
#
# - ViT: Dosovitskiy et al., 2021, [arXiv 2010.11929](https://arxiv.org/abs/2010.11929).
# - Swin: Liu et al., 2021, [arXiv 2103.14030](https://arxiv.org/abs/2103.14030), figure 4 for what
#   wraps around.
# - Registers, against heat at odd places: Darcet et al., 2024,
#   [arXiv 2309.16588](https://arxiv.org/abs/2309.16588).
#
# Next: [How does attention hear?](19_audio.py)
