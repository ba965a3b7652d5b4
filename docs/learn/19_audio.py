# %% [markdown]
# # How does attention hear?
#
# Sound becomes a picture: how much of each pitch there is, moment by moment. That picture is cut
# into tokens, with a mask that tells silence from padding.

# %% [markdown]
# ## You need
#
# [How attention sees](18_vision.py) and [what a mask does](07_what_a_mask_does.py).
#
# - $B$ recordings of $T$ samples; the sampling rate says how many samples a second has.
# - A **frame**: a short piece of sound. The **hop**: samples from the start of one frame to the
#   next.
# - $M$: number of pitch bands, called mel bins.
# - Hertz (Hz): swings in a second. STFT: the Fourier transform of each frame.

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
# A second of sound is 16000 numbers, and one of them says nothing. What we hear is how fast they
# swing. So we look at 25 thousandths of a second at a time and ask: how strong is each pitch in
# it? The **Fourier transform** answers. We move on by 10 thousandths and ask again. The answers
# side by side are a **spectrogram**: time to the right, pitch upwards.
#
# *Why do frames overlap?* Each frame is faded in and out, since a hard cut would click, and a click
# has all pitches. What is faded in one frame is loud in the next.
#
# *Why not longer frames?* Longer ones tell pitches apart better, and moments worse. 25 thousandths
# of a second are a compromise that fits speech: short enough for a "t", long enough for a vowel.
#
# Two adjustments make it fit our ears. We tell low pitches apart well and high ones badly, so
# bands are narrow below and wide above: the **mel** scale. And ten times the power does not sound
# ten times as loud, so we take the logarithm.
#
# What is left is a grey picture, and [lesson 18](18_vision.py) applies: patches, tokens,
# attention. Gong et al., 2021, even began from a model of photographs.
#
# *How many bins?* Some 64. Too few blur the vowels together, and too many leave bins at the
# bottom that no pitch of the Fourier transform falls into. A patch may take all bins of a few
# frames, as below, or a square of some bins and some frames, as in a picture.
#
# One thing differs from pictures: recordings have different lengths. A batch pads the short ones.
# *Is padding not simply silence?* No. Silence is a thing one can hear. It is part of the recording,
# and a model may use it. Padding is not there.

# %% [markdown]
# ## The equation
#
# $$x_{f,m} = \log \max\Big(\sum_k \mathrm{mel}_{m,k}\, \big|\mathrm{STFT}_{f,k}\big|^2,\
# \epsilon\Big)$$
#
# $f$ counts frames, $k$ the pitches of the Fourier transform, $m$ the mel bins; $\epsilon$ keeps
# the logarithm finite. Mel of a pitch is $2595 \log_{10}(1+\mathrm{Hz}/700)$. Bins are triangles,
# evenly spaced in mel (Davis and Mermelstein, 1980). Tokens are patches of $x$, as in Gong et al.,
# 2021 ([arXiv 2104.01778](https://arxiv.org/abs/2104.01778), section 2.1).

# %% [markdown]
# ## By hand
#
# **Frames.** One second has 16000 samples. A frame begins every 160 samples: 100 frames.
#
# **Bin of a tone.** Which of 64 bins, counted from 0, hears a tone of 1000 Hz? By the formula 1000
# Hz are 1000 mel (the scale is made that way). The bins span 20 Hz, which is 31.7 mel, to 8000 Hz,
# which is 2840.0 mel. There are 65 steps between 66 points, each 43.2 mel wide. The tone lies
# $(1000-31.7)/43.2=22.4$ steps up. The nearest peak is at point 22. The first bin peaks at point 1,
# so this is bin 21.


# %%
def mel(hertz):
    return 2595 * np.log10(1 + hertz / 700)


low, high = mel(20), mel(8000)
step = (high - low) / 65
np.testing.assert_allclose([mel(1000), low, high, step], [1000, 31.7, 2840.0, 43.2], atol=0.06)
np.testing.assert_allclose((1000 - 31.7) / 43.2, 22.4, atol=0.05)
assert round((mel(1000) - low) / step) - 1 == 22 - 1 == 21
assert 16000 // 160 == 100
assert 64 + 2 == 66
assert 400 / 16000 == 25 / 1000
assert 160 / 16000 == 10 / 1000  # seconds

# %% [markdown]
# ## In code

# %%
RATE, FRAME, HOP, FFT, BINS = 16000, 400, 160, 512, 64


def triangles():  # (FFT / 2 + 1, BINS)
    points = 700 * (10 ** (np.linspace(mel(20), mel(RATE / 2), BINS + 2) / 2595) - 1)  # Hz
    hertz = np.arange(FFT // 2 + 1)[:, None] * RATE / FFT
    rising = (hertz - points[:-2]) / np.diff(points)[:-1]
    falling = (points[2:] - hertz) / np.diff(points)[1:]
    return np.maximum(np.minimum(rising, falling), 0)


def log_mel(sound):  # (T,) to (frames, BINS)
    count = -(-len(sound) // HOP)  # frames that begin within the recording
    padded = np.pad(sound, (0, FRAME))
    frames = np.stack([padded[f * HOP : f * HOP + FRAME] for f in range(count)])
    fade = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)  # so that edges do not click
    power = np.abs(np.fft.rfft(frames * fade, FFT)) ** 2  # (frames, FFT / 2 + 1)
    return np.log(np.maximum(power @ triangles(), 1e-6))


def tone(hertz, seconds):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)


spectrogram = log_mel(tone(1000, 1))
assert spectrogram.shape == (100, 64)
assert spectrogram.mean(axis=0).argmax() == 21

# %% [markdown]
# ## In the library
#
# `LogMelSpectrogram` is `keras_attention/layers/inputs/log_mel_spectrogram.py`. It works inside of
# the model, so a file of the model takes plain sound. It has masks: a frame is valid if one of its
# first samples is. Noise fills all bins, so that we compare every number.

# %%
rng = np.random.default_rng(0)
sound = tone(1000, 1) + 0.1 * rng.normal(size=RATE)
layer = ka.layers.LogMelSpectrogram(RATE, BINS, FRAME, HOP, normalize=None)
made = ops.convert_to_numpy(layer(sound[None].astype("float32")))[0]  # (frames, BINS)
np.testing.assert_allclose(made, log_mel(sound), atol=1e-2)

half = np.arange(RATE)[None] < RATE // 2  # (B, T): the second half is padding
mask = ops.convert_to_numpy(layer.compute_mask(sound[None], ops.convert_to_tensor(half)))
assert mask.sum() == 50
assert mask.shape == (1, 100)

# %% [markdown]
# ## Look
#
# Two sounds in one batch: a rising melody of four notes, and a short one of two.

# %%
melody = np.concatenate([tone(hertz, 0.25) for hertz in (400, 600, 900, 1350)])
short = np.concatenate([tone(hertz, 0.25) for hertz in (1350, 400)])
batch = np.stack([melody, np.pad(short, (0, len(melody) - len(short)))]).astype("float32")
valid = np.arange(len(melody))[None] < np.array([[len(melody)], [len(short)]])  # (B, T)
pictures = ops.convert_to_numpy(layer(batch, mask=ops.convert_to_tensor(valid)))  # (B, F, M)
masks = ops.convert_to_numpy(layer.compute_mask(batch, ops.convert_to_tensor(valid)))  # (B, F)
assert masks.sum(axis=1).tolist() == [100, 50]

# %% mystnb={"image": {"alt": "Two spectrograms. The left one climbs in four steps. The right one has two notes in its first half and nothing in its second. Bars below are dark for all of the left and half of the right."}}
figure, axes = plt.subplots(
    2, 2, figsize=(7, 3.6), height_ratios=(6, 1), sharex=True, layout="constrained"
)
names = ("four notes, 100 frames", "two notes, 50 frames and padding")
for column, name in enumerate(names):
    shown = axes[0, column].imshow(
        np.where(masks[column, :, None], pictures[column], np.nan).T,
        origin="lower",
        aspect="auto",
        cmap="viridis",
        vmin=-14,
        vmax=8,
    )
    axes[0, column].set_title(name, fontsize=10)
    axes[1, column].imshow(masks[column][None], aspect="auto", cmap="cividis_r", vmin=0, vmax=1.2)
    axes[1, column].set(yticks=[], xlabel="frame")
axes[0, 0].set_ylabel("mel bin")
axes[1, 0].set_ylabel("mask")
figure.colorbar(shown, ax=axes[0], label="log power")
_ = figure.suptitle("Sound as a picture: each note is a line, and padding is masked")

# %% [markdown]
# Time runs to the right, pitch upwards; bright is loud. In the bars below a dark frame counts and
# a light one is padding. What is blank is not silence: it is not there.

# %% [markdown]
# ## Change
#
# A small audio transformer from the zoo, with random weights. It takes NaN ("not a number") for
# padding. We append half as much again to a sound, once as padding, once as zeros.
# Which one changes the answer? Padding must not. Zeros must: they are a part of the recording.

# %%
filler = 0.0  # CHANGE ME: try np.nan

model = zoo.audio_transformer(hidden_dim=16, intermediate_dim=32, num_heads=2, num_layers=1)
voice = np.sin(2 * np.pi * 300 * np.arange(3840) / 8000) + 0.1 * rng.normal(size=3840)


def answer(sound):  # (T,) at 8000 samples a second
    return ops.convert_to_numpy(model(sound[None].astype("float32")))[0]  # (classes,)


alone = answer(voice)
changes = {
    name: np.abs(answer(np.concatenate([voice, np.full(1920, value)])) - alone).max()
    for name, value in (("padding", np.nan), ("filler", filler))
}
print({name: f"a logit changed by {change:.1e}" for name, change in changes.items()})

# %%
assert changes["padding"] < 1e-4
if filler == 0:
    assert changes["filler"] > 100 * changes["padding"]

# %% [markdown]
# ## Mistakes
#
# - **Padding as zeros, without a mask.** The answer depends on the longest sound of the batch.
# - **The wrong sampling rate.** 8000 samples read as 16000 a second sound an octave too high. No
#   error; accuracy drops.
# - **Loudness against the whole batch.** Then each sound changes with its neighbours. Normalise
#   each recording by itself.
# - **No floor below the logarithm.** Digital silence is minus infinity.
# - **Time and pitch swapped.** The layer gives (frames, bins); a mask is of frames.
# - **Patches over a border of padding.** A patch counts if one of its frames does. Pad by whole
#   patches.

# %% [markdown]
# ## Exercises
#
# 1. How many frames have 0.3 seconds? How many patches of 4 frames and all bins?
# 2. Move the tone: in which bin are 500 Hz and 3000 Hz? Check it with the layer.
# 3. How many attention pairs has one second as samples, as frames, and as patches of 4 frames?

# %% tags=["hide-cell"]
# 1. 4800 samples are 30 frames; 7 whole patches, and 2 frames are left over.
frames = int(0.3 * RATE) // HOP
assert (frames, frames // 4, frames % 4) == (30, 7, 2)

# %% tags=["hide-cell"]
# 2. 12 and 42: the lower octaves get more bins than their share of Hz.
for hertz, expected in ((500, 12), (3000, 42)):
    assert round((mel(hertz) - low) / step) - 1 == expected
    heard = ops.convert_to_numpy(layer(tone(hertz, 1)[None].astype("float32")))[0]
    assert heard.mean(axis=0).argmax() == expected

# %% tags=["hide-cell"]
# 3. 256 million, ten thousand, and 625.
assert RATE**2 == 256e6
assert 100**2 == 10000
assert (100 // 4) ** 2 == 625

# %% [markdown]
# ## Limits and sources
#
# A spectrogram forgets the phase: how the swings of a frame are shifted. For words and tunes it
# hardly matters; for telling from where a sound comes it does. Other models skip the spectrogram
# and learn filters from samples. The model `audio_fsdd` of the box, which knows ten spoken digits,
# is made as on this page.
#
# - Davis and Mermelstein, 1980,
#   [DOI](https://doi.org/10.1109/TASSP.1980.1163420).
# - AST: Gong et al., 2021, [arXiv 2104.01778](https://arxiv.org/abs/2104.01778).
# - Masking in training: Park et al., 2019, [arXiv 1904.08779](https://arxiv.org/abs/1904.08779).
#
# Next: [How do words look at pictures?](20_words_and_pictures.py)
