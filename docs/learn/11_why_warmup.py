"""Why warmup? A lesson as a notebook and as a program."""

# %% [markdown]
# # Why warmup?
#
# At the first steps the optimizer knows almost nothing about the gradients, and yet it takes steps
# of full length. Warmup makes these steps short, then longer, until the model stands on firm
# ground.
#
# ## You need
#
# [What holds a block together](10_what_holds_a_block.py) for post-norm. Symbols, all plain numbers:
#
# | symbol | meaning |
# |---|---|
# | $n$ | number of the step, from 1 |
# | $w$ | number of warmup steps |
# | $D$ | width of the model |
# | $g$ | gradient of one weight at this step |
# | rate | the learning rate: how far a step goes |

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
# Transformers are trained with **Adam**. It keeps two running means for each weight: of the
# gradient, $m$, and of its square, $u$. Then it moves the weight by $\text{rate} \cdot m / \sqrt
# u$. So noisy weights, with a large $u$ and a small $m$, move little. That is clever after a
# hundred steps.
#
# But at step 1 both means hold a single gradient. Then $m = g$, $u = g^2$, and the move is
# $\text{rate} \cdot g / |g|$. That is plus or minus the rate, **whatever the gradient**. A gradient
# of one thousandth moves its weight as far as one of a thousand. Every weight of the model takes a
# full step, in a direction that one batch happened to show.
#
# In a post-norm stack this hurts most. Its upper blocks have large gradients at the start, and a
# small change in a block changes all that comes after it. A few wild steps can make the attention
# so sure of itself that no gradient gets through. Then it stays there.
#
# Warmup begins with tiny steps. The means fill with real statistics, the norms and the attention
# find their place, and only then the rate rises.
#
# ## The equation
#
# $$\text{rate}(n) = D^{-1/2} \cdot \min\left(n^{-1/2},\; n \cdot w^{-3/2}\right)$$
#
# This is equation 3 of [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762). While $n < w$ the
# second term is smaller: a straight line up. After that the first one is: the rate falls with the
# root of n. Both are equal at $n = w$, the peak. A wider model gets a smaller rate.
#
# **Why does it fall again?** Far from the goal, long steps save time. Near to it they jump over it,
# and the noise of single batches keeps the weights shaking. Shorter steps average it out. Many
# models of today keep the straight line up, but fall by half a cosine, down to zero. In the library
# that is `warmup_cosine`.
#
# **How long should warmup be?** Long enough for the running means to fill. With $\beta_2 = 0.98$
# the mean of squares remembers about 50 steps, with 0.999 about 1000. A few hundred to a few
# thousand steps are common, or a few hundredths of the whole training.
#
# ## By hand
#
# D = 64, so $D^{-1/2} = 1/8$. Four warmup steps, so $w^{-3/2} = 1/8$ as well.
#
# | step | $n^{-1/2}$ | $n \cdot w^{-3/2}$ | rate |
# |---|---|---|---|
# | 1 | 1 | 1/8 | 1/8 · 1/8 = 1/64 |
# | 4 | 1/2 | 1/2 | 1/8 · 1/2 = 4/64 |
# | 16 | 1/4 | 2 | 1/8 · 1/4 = 2/64 |
#
# Up to four times the first rate, and at four times the peak's step down to half of it.
#
# ## In code


# %%
def rate(step, width, warmup):
    return width**-0.5 * np.minimum(step**-0.5, step * warmup**-1.5)


steps = np.array([1.0, 4.0, 16.0])
np.testing.assert_allclose(rate(steps, 64, 4.0), [1 / 64, 4 / 64, 2 / 64])


def adam(gradients, rate, beta_1=0.9, beta_2=0.98, epsilon=1e-9):
    """Returns the moves of one weight, given its gradients."""
    mean = square = 0.0
    moves = []
    for n, g in enumerate(gradients, start=1):
        mean = beta_1 * mean + (1 - beta_1) * g
        square = beta_2 * square + (1 - beta_2) * g**2
        m, u = mean / (1 - beta_1**n), square / (1 - beta_2**n)  # as if they had begun full
        moves.append(-rate * m / (np.sqrt(u) + epsilon))
    return np.array(moves)


np.testing.assert_allclose(adam([1 / 1000], rate=0.5), [-0.5], rtol=1e-5)  # one thousandth
np.testing.assert_allclose(adam([1000.0], rate=0.5), [-0.5], rtol=1e-5)  # a thousand
noise = adam(np.random.default_rng(0).normal(size=100), rate=0.5)  # no direction at all
assert abs(noise[0]) > 0.499  # the first step believes it
assert np.abs(noise[50:]).mean() < 0.2  # later steps do not

# %% [markdown]
# The last lines feed pure noise to Adam. The first step goes the full 0.5, as if it knew the way.
# After fifty steps the means know better, and the moves are a fraction of it.
#
# ## In the library
#
# `InverseSqrtWarmup` is a schedule for any optimizer of Keras; see `__call__` in
# `keras_attention/training/schedules.py`. Keras counts steps from 0, so the schedule adds 1.

# %%
to_numpy = keras.ops.convert_to_numpy
schedule = ka.schedules.InverseSqrtWarmup(warmup_steps=4, hidden_dim=64)
np.testing.assert_allclose(
    [float(to_numpy(schedule(step - 1))) for step in (1, 4, 16)],
    [1 / 64, 4 / 64, 2 / 64],
    rtol=1e-6,
)
for gradient in (1 / 1000, 1000.0):  # Keras's own Adam takes the same first step
    weight = keras.Variable([0.0])
    optimizer = keras.optimizers.Adam(0.5, epsilon=1e-9)
    optimizer.apply([keras.ops.convert_to_tensor([gradient])], [weight])
    np.testing.assert_allclose(to_numpy(weight), [-0.5], rtol=1e-4)

# %% [markdown]
# ## Look

# %% mystnb={"image": {"alt": "Three curves of the learning rate over 20000 steps. Each rises in a straight line to a peak at its warmup and then falls slowly. A longer warmup has a later and lower peak, and all fall along one curve."}}
n = np.arange(1.0, 20001.0)
figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for warmup, style in ((1000, "-"), (4000, "--"), (8000, ":")):
    curve = rate(n, 512, float(warmup))
    ax.plot(n, curve, style, linewidth=2, label=f"{warmup} warmup steps")
    assert n[curve.argmax()] == warmup
ax.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
ax.legend()
ax.set_title("A longer warmup has a later and lower peak; then all fall along one curve")

# %% [markdown]
# Read each curve from the left: a straight line up to its peak, at the end of the warmup, and then
# the slow fall. Here D is 512; the paper used 4000 steps of warmup.
#
# ## Change
#
# The task of the last lesson again: a stack of post-norm blocks must name eight tokens in reverse.
# Six blocks, 200 steps, and a high rate, 0.003. Expect the model without warmup to stay near
# chance, a loss of 2.77, and the one with warmup to learn the task.

# %%
warmup_steps = 100  # CHANGE ME: try 1

tokens, length, width, steps = 16, 8, 32, 200
ids = np.random.default_rng(1).integers(0, tokens, (steps, 32, length))
results = {}
for name, warmup in (("no warmup", 1), ("warmup", warmup_steps)):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((length,), dtype="int32")
    h = keras.layers.Embedding(tokens, width)(inputs)
    h = ka.layers.PositionalEncoding(scale_inputs=True)(h)  # (B, T, D)
    for _ in range(6):
        h = ka.layers.TransformerBlock(4, 2 * width, norm_first=False)(h)
    model = keras.Model(inputs, keras.layers.Dense(tokens)(h))
    model.compile(
        keras.optimizers.Adam(ka.schedules.InverseSqrtWarmup(warmup, peak=0.003), beta_2=0.98),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    for batch in ids:
        model.train_on_batch(batch, batch[:, ::-1])
    batch = np.random.default_rng(2).integers(0, tokens, (256, length))
    results[name] = float(model.test_on_batch(batch, batch[:, ::-1]))
print({name: round(value, 2) for name, value in results.items()})
assert round(np.log(tokens), 2) == 2.77
if warmup_steps == 100:
    assert results["warmup"] < results["no warmup"] - 1

# %% [markdown]
# Both models saw the same texts in the same order. The one without warmup had its highest rate from
# the first step on, and it went nowhere. It does not explode: it sits at the loss of a guess. That
# is what missing warmup looks like in practice, and why it is easily taken for a bug in the data.
#
# ## Mistakes
#
# - **Steps counted from 0.** The formula gives 0 there, so the first batch teaches nothing. In a
#   program that writes `step**-0.5` it is a division by zero.
# - **Epochs instead of steps.** Four thousand steps may be half an epoch or forty. Count steps, and
#   print the rate once.
# - **The whole training is warmup.** With 1000 steps of training and 4000 of warmup, the rate never
#   gets above a quarter of its peak.
# - **The paper's rate for another batch size.** Its peak was tuned for batches of 25,000 tokens.
#   Use `peak=` to set the highest rate yourself.

# %%
assert 0 * 4000**-1.5 == 0
np.testing.assert_allclose(rate(1000.0, 512, 4000.0) / rate(4000.0, 512, 4000.0), 1 / 4)
batch_tokens = 25_000  # section 5.1 of the paper
np.testing.assert_allclose([1 / (1 - 0.98), 1 / (1 - 0.999)], [50, 1000])  # steps remembered

# %% [markdown]
# ## Exercises
#
# **1.** Where is the peak, and how high is it? Compute it for the paper's base model, D = 512 and
# 4000 warmup steps.

# %% tags=["hide-cell"]
# The line and the curve meet at n = w: there n^(-1/2) = w^(-1/2), and n w^(-3/2) is the same. So
# the peak is 1 / sqrt(D w), here about 0.0007.
np.testing.assert_allclose(rate(4000.0, 512, 4000.0), 1 / np.sqrt(512 * 4000))
assert round(1 / np.sqrt(512 * 4000), 4) == 0.0007
assert rate(3999.0, 512, 4000.0) < rate(4000.0, 512, 4000.0) > rate(4001.0, 512, 4000.0)

# %% [markdown]
# **2.** Does the first step of the library's schedule learn anything? How large is its rate
# compared with the peak?

# %% tags=["hide-cell"]
# Yes: Keras's step 0 is the paper's step 1, with a rate of peak / w.
paper = ka.schedules.InverseSqrtWarmup(4000, peak=1.0)
np.testing.assert_allclose(float(to_numpy(paper(0))), 1 / 4000, rtol=1e-5)
np.testing.assert_allclose(float(to_numpy(paper(3999))), 1, rtol=1e-5)

# %% [markdown]
# **3.** Plain gradient descent has no running means. How far does its first step go for the two
# gradients above, and why does it need warmup less for that reason?

# %% tags=["hide-cell"]
# Its step is rate * g: a small gradient makes a small step. It never blows up a gradient of one
# thousandth. What is left is the danger of large gradients, which clipping answers too.
for gradient in (1 / 1000, 1000.0):
    weight = keras.Variable([0.0])
    keras.optimizers.SGD(0.5).apply([keras.ops.convert_to_tensor([gradient])], [weight])
    np.testing.assert_allclose(to_numpy(weight), [-0.5 * gradient], rtol=1e-5)

# %% [markdown]
# ## Limits and sources
#
# Why warmup helps is still discussed. One view blames Adam's early means, another the large
# gradients of post-norm, a third how much a deep post-norm stack amplifies small changes. They do
# not exclude each other. Pre-norm models can do with little warmup, but most large ones keep some.
#
# - Vaswani et al., 2017: [Attention is all you need](https://arxiv.org/abs/1706.03762), section
#   5.3.
# - Liu et al., 2020: [On the variance of the adaptive learning
#   rate](https://arxiv.org/abs/1908.03265), on Adam's first steps.
# - Xiong et al., 2020: [On layer normalization](https://arxiv.org/abs/2002.04745), on gradients.
# - Liu et al., 2020: [Understanding the difficulty of training
#   transformers](https://arxiv.org/abs/2004.08249), on amplification.
#
# Next: [how does a decoder learn everything at once?](12_teacher_forcing.py)
