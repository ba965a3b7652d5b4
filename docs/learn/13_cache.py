# %% [markdown]
# # Why keep keys, and how many?
#
# When a model writes, the keys and values of the words so far never change, so it keeps them and
# computes only the new word. They fill the memory, so several query heads share one key head.

# %% [markdown]
# ## You need
#
# [How a decoder learns](12_teacher_forcing.py) and [why several heads](06_why_several_heads.py).
#
# - $T$: tokens so far; $D$: width of the model; $L$: number of layers.
# - $N$ query heads, $K$ key heads of size $H$ each; $K$ divides $N$.
# - $q_t, k_t, v_t$: query, key and value of token $t$; $o_t$: what attention returns for it.

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
# In training all places are computed at once. In writing they cannot be: word 5 must exist before
# word 6 can be asked for. The plain way runs the whole model on the whole text for each new word.
# It throws away all rows of the result but the last. The next word then computes the same rows
# again.
#
# *Why may we keep keys and values?* Because of the causal mask. Token $j$ has seen only tokens up
# to $j$, in every layer. A new token at the end changes nothing about it. So its key and its value
# are the same for ever, and we may store them. This store is the **key/value cache**.
#
# *Why not keep queries too?* The query of token $j$ asked for the word after $j$. That word is
# written. Nobody asks again.
#
# *Why is the first word slow and the next ones quick?* The beginning that you typed is read in one
# pass, which fills the cache for all of its tokens. This is the **prefill**. It is a lot of
# arithmetic, and well spread over a processor. Each later step has one token, and almost all of
# its time goes into fetching weights and keys from memory.
#
# *Does it change the result?* No. It is the same sum in another order. A cache is a speed-up and
# no approximation. In a model that looks both ways, though, it would be wrong: there a new token
# changes all the others.

# %% [markdown]
# ## The equation
#
# A step with a cache is one row of attention:
#
# $$o_t = \sum_{s \le t} \mathrm{softmax}_s\left(\frac{q_t \cdot k_s}{\sqrt{H}}\right) v_s$$
#
# One new query, and $t$ keys and values, of which $t-1$ are old. The cache holds
#
# $$2 \cdot L \cdot K \cdot H \cdot T$$
#
# numbers for each text: keys and values, in each layer, for each key head. **Grouped-query
# attention** (section 2.2 of Ainslie et al., 2023,
# [arXiv 2305.13245](https://arxiv.org/abs/2305.13245)) makes $K$ smaller than $N$: query head $n$
# reads key head $\lfloor n K / N \rfloor$. With $K = 1$ it is multi-query attention
# ([arXiv 1911.02150](https://arxiv.org/abs/1911.02150)).

# %% [markdown]
# ## By hand
#
# We write four tokens with one head. Without a cache, step $t$ fills a whole table of
# $t \times t$ scores: $1+4+9+16=30$. With a cache, step $t$ adds one row of $t$: $1+2+3+4=10$.
#
# Now memory, for a model as large as the smallest GPT-2: 12 layers, 12 heads of size 64, 1024
# tokens, 2 bytes a number. That is $2 \cdot 12 \cdot 12 \cdot 64 \cdot 1024 \cdot 2$ bytes: 36
# MiB (of $2^{20}$ bytes each) for one text. With four key heads it is 12 MiB. A server writes
# hundreds of texts at a time, and then the cache is larger than the model.

# %%
assert sum(t * t for t in range(1, 5)) == 30
assert sum(t for t in range(1, 5)) == 10


def mebibytes(key_heads, layers=12, size=64, tokens=1024, bytes_each=2):
    return 2 * layers * key_heads * size * tokens * bytes_each / 2**20


assert mebibytes(key_heads=12) == 36
assert mebibytes(key_heads=4) == 12

# %% [markdown]
# ## In code
#
# Four query heads, two key heads. First the whole text at once, then token by token with a cache
# that grows. The rows must agree.

# %%
rng = np.random.default_rng(0)
T, D, N, K, H = 6, 8, 4, 2, 2
x = rng.normal(size=(T, D))  # (T, D)
w_q = rng.normal(size=(D, N * H))
w_k, w_v = rng.normal(size=(2, D, K * H))


def project(x, kernel, heads):  # (T, D) to (heads, T, H)
    return (x @ kernel).reshape(len(x), heads, H).transpose(1, 0, 2)


def attend(q, k, v, mask):  # (N, T, H), (K, S, H), (K, S, H), (T, S)
    k, v = np.repeat(k, N // K, axis=0), np.repeat(v, N // K, axis=0)  # (N, S, H)
    scores = np.where(mask, q @ k.transpose(0, 2, 1) / np.sqrt(H), -np.inf)  # (N, T, S)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return (weights @ v).transpose(1, 0, 2).reshape(-1, N * H)  # (T, N * H)


q, k, v = project(x, w_q, N), project(x, w_k, K), project(x, w_v, K)
whole = attend(q, k, v, np.tril(np.ones((T, T), bool)))  # (T, N * H)

keys, values = np.zeros((2, K, 0, H))  # the cache, empty
rows = []
for token in x:
    token = token[None]  # (1, D), all that this step reads
    keys = np.concatenate([keys, project(token, w_k, K)], axis=1)  # (K, t, H)
    values = np.concatenate([values, project(token, w_v, K)], axis=1)
    rows.append(attend(project(token, w_q, N), keys, values, np.ones((1, keys.shape[1]), bool)))
np.testing.assert_allclose(np.concatenate(rows), whole)
assert keys.size + values.size == 2 * K * H * T

# %% [markdown]
# There is no mask in the loop. What comes later is not there yet.

# %% [markdown]
# ## In the library
#
# `ka.cache` is a scope. Inside, causal layers write to the cache and read from it; nothing is
# passed through the model. The scope is in `keras_attention/scope.py` (`cache`), and the shared
# key heads are in `keras_attention/ops/attention.py` (`by_head_group`), which repeats nothing.
# `ka.generate` compiles this loop; that is in `keras_attention/decoding/`.

# %%
layer = ka.layers.MultiHeadSelfAttention(
    N, head_dim=H, num_kv_heads=K, causal=True, use_bias=False, output_dim=N * H
)
layer.build((None, T, D))
for kernel, value in zip(
    (layer.query_kernel, layer.key_kernel, layer.value_kernel, layer.output_kernel),
    (w_q, w_k, w_v, np.eye(N * H)),
    strict=True,
):
    kernel.assign(value)
text = x[None].astype("float32")  # (B, T, D)
np.testing.assert_allclose(ops.convert_to_numpy(layer(text))[0], whole, atol=1e-5)

with ka.cache(max_length=T) as cache:  # room for T tokens
    layer(text[:, : T - 1])  # the beginning
with ka.cache(cache.state, index=T - 1):  # the new token, at place T - 1
    step = ops.convert_to_numpy(layer(text[:, T - 1 :]))  # (B, 1, N * H)
np.testing.assert_allclose(step[0, 0], whole[-1], atol=1e-5)

# %% [markdown]
# ## Look

# %% mystnb={"image": {"alt": "Two six by six tables of numbers. Left, without a cache: 6 in the top left corner down to 1 at the edge. Right, with a cache: 1 in the lower triangle, nothing above."}}
again = T - np.maximum(*np.indices((T, T)))  # how often a score is computed
once = np.tril(np.ones((T, T), int))
assert again.sum() == sum(t * t for t in range(1, T + 1))
assert once.sum() == 21
figure, axes = plt.subplots(1, 2, figsize=(7, 3.7), layout="constrained")
titles = ("Without a cache: 91 scores", "With a cache: 21 scores")
assert again.sum() == 91
for ax, counts, title in zip(axes, (again, once), titles, strict=True):
    ax.imshow(np.where(counts, counts, np.nan), cmap="cividis_r", vmin=0, vmax=T + 2)
    for (t, s), count in np.ndenumerate(counts):
        if count:
            ax.text(s, t, count, ha="center", va="center", color="white" if count > 3 else "black")
    ax.set_xticks(range(T), range(1, T + 1))
    ax.set_yticks(range(T), range(1, T + 1))
    ax.set(xlabel="key of token", ylabel="query of token", title=title)
_ = figure.suptitle("Without a cache, early scores are computed again and again")

# %% [markdown]
# A cell is the score of one query with one key; its number says how often six steps compute it.
# Left, 91 in all, even those that the mask throws away. Right, 21: each once.

# %% [markdown]
# ## Change
#
# Two blocks with rotary positions. We run the whole text, then all but one token and a cached
# step. Expect the same logits (the scores of all words, before the softmax), up to rounding, for
# every number of key heads. Expect the cache to shrink in proportion.

# %%
key_heads = 1  # CHANGE ME: try 2 or 4

keras.utils.set_random_seed(0)
token_ids = keras.Input((None,), dtype="int32")
h = keras.layers.Embedding(20, 16)(token_ids)  # (B, T, D)
for _ in range(2):
    h = ka.layers.TransformerBlock(4, 32, num_kv_heads=key_heads, causal=True, position="rotary")(h)
model = keras.Model(token_ids, keras.layers.Dense(20)(h))  # (B, T, V)

ids = rng.integers(0, 20, (1, 12))  # (B, T)
all_logits = ops.convert_to_numpy(model(ids))
with ka.cache(max_length=12) as cache:
    model(ids[:, :11])
with ka.cache(cache.state, index=11):
    last = ops.convert_to_numpy(model(ids[:, 11:]))[:, 0]  # (B, V)
tensors = keras.tree.flatten(cache.state)
numbers = sum(int(np.prod(t.shape)) for t in tensors if len(t.shape) == 4)
print(f"largest difference: {np.abs(last - all_logits[:, -1]).max():.1e}")
print("numbers kept:", numbers)

# %%
np.testing.assert_allclose(last, all_logits[:, -1], atol=1e-5)
assert numbers == 2 * 2 * key_heads * 4 * 12  # 2 L K H T

# %% [markdown]
# ## Mistakes
#
# - **Index wrong by one.** The step overwrites a key and gives the token another position. There
#   is no error, and the text gets worse. The first exercise shows it.
# - **A cache in a model that looks both ways.** Old rows are stale. The library refuses it.
# - **A whole text in each step, with a cache.** Keys are stored twice, and attention counts them
#   twice.
# - **Positions that start again at 0** in each step: each word believes it is the first.
# - **A mask of $T \times T$ in a step.** There is one query; the mask has one row.
# - **Beams that swap places.** When beam search keeps another beginning, the cache must be
#   reordered with it.

# %% [markdown]
# ## Exercises
#
# 1. Call the cached step with an index that is too low by one. How far off are the logits?
# 2. What does one key head of the model above cost, in MiB? And how many texts of 1024 tokens fit
#    into 9 GiB with 12 key heads, and with one?
# 3. Show that repeating key heads is the same as a loop over groups.

# %% tags=["hide-cell"]
# 1. Far more than rounding.
with ka.cache(max_length=12) as cache:
    model(ids[:, :11])
with ka.cache(cache.state, index=10):
    wrong = ops.convert_to_numpy(model(ids[:, 11:]))[:, 0]
assert np.abs(wrong - all_logits[:, -1]).max() > 1e-3

# %% tags=["hide-cell"]
# 2. 3 MiB each. 256 texts, or 3072.
assert mebibytes(key_heads=1) == 3
assert 9 * 1024 / mebibytes(key_heads=12) == 256
assert 9 * 1024 / mebibytes(key_heads=1) == 3072

# %% tags=["hide-cell"]
# 3. Query heads 0 and 1 read key head 0, query heads 2 and 3 read key head 1.
mask = np.tril(np.ones((T, T), bool))
for head in range(N):
    scores = np.where(mask, q[head] @ k[head * K // N].T / np.sqrt(H), -np.inf)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    part = whole[:, head * H : (head + 1) * H]
    np.testing.assert_allclose(weights @ v[head * K // N], part)

# %% [markdown]
# ## Limits and sources
#
# The cache saves computing, not reading: each step still reads all keys and values. On large
# models that reading is what takes the time, so fewer key heads make writing faster too. They can
# cost some quality; with several key heads it is small in the paper. Windows and linear attention
# make the cache itself bounded; see [lesson 16](16_long_texts.py).
#
# Sources: Shazeer, 2019, [arXiv 1911.02150](https://arxiv.org/abs/1911.02150); Ainslie et al.,
# 2023, [arXiv 2305.13245](https://arxiv.org/abs/2305.13245); sizes of GPT-2 from Radford et al.,
# 2019.
#
# Next: [Which word next?](14_next_word.py)
