# %% [markdown]
# # Do weights explain?
#
# A weight says what was read, not what it did. Whether a map explains an answer can be measured:
# take away what it calls important, and see if the answer goes.

# %% [markdown]
# ## You need
#
# [What are query, key and value?](01_query_key_value.py) and [several
# heads](06_why_several_heads.py).
#
# - $A$: the weights of a layer, $(T, T)$, mean over heads; a row reads, and sums to 1.
# - $I$: the identity, ones on the diagonal. $v_s$: the value of token $s$.
# - $y$: the output that we want to explain, such as the logit of a class.
# - **Rollout** and **relevance**: two ways to follow weights through a model, see below.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or "jax" or "tensorflow", before Keras

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

import keras_attention as ka
import zoo

# %% [markdown]
# ## The idea
#
# Attention maps look like explanations: here is the word that the model looked at. Three things
# stand between the map and the answer.
#
# 1. **The value.** A token with a large weight and a value of zero adds nothing.
# 2. **The layers.** In layer two, "token 5" is a mixture of all that token 5 has read before.
# 3. **The way round.** Residual connections carry a token past attention, and no map shows that.
#
# So there are better ways to use the weights. **Rollout** multiplies the maps of all layers, with
# the way round as an identity. **Relevance** also asks, for each weight, whether more of it would
# raise the answer. It weighs weights by their gradient.
#
# *Why not simply remove each token and look?* One can, and it is called leave-one-out. It takes a
# pass for each token. And it is blind where two tokens say the same: take one of them away, and
# the answer stays. So both look useless.
#
# *How do we know that they are better?* Not by looking. A map that pleases us may please us because
# it looks at what *we* would look at. We ask the model: remove what the map calls important. If the
# answer stays, the map was wrong. And we always compare with removing tokens at random.

# %% [markdown]
# ## The equation
#
# Rollout (Abnar and Zuidema, 2020,
# [section 3](https://aclanthology.org/2020.acl-main.385)) of $L$ layers:
#
# $$R = \prod_{l=1}^{L} \tfrac12 (A_l + I), \quad \text{the first layer on the right}$$
#
# Relevance (Chefer et al., 2021, [arXiv 2103.15679](https://arxiv.org/abs/2103.15679), equations 5
# and 6) begins with $R=I$ and adds, layer by layer,
#
# $$R \leftarrow R + \bar A R$$
#
# $$\bar A = \max\Big(0,\ \frac{\partial y}{\partial A} \odot A\Big)$$
#
# with the mean over heads; $\odot$ multiplies number by number. **Deletion** (Petsiuk et al., 2018,
# [arXiv 1806.07421](https://arxiv.org/abs/1806.07421)) removes tokens from the highest score on. It
# measures the area under the probability of the answer: low is good.

# %% [markdown]
# ## By hand
#
# **The value counts.** Two tokens with the weights (3/4, 1/4) and the values (0, 8). The output is
# $3/4\cdot0+1/4\cdot8=2$. All of it comes from the token with the *small* weight. The gradient of
# the output by a weight is its value. So weight times gradient is (0, 2), and says so.
#
# **Two layers.** Both have the map with rows (1, 0) and (1/2, 1/2). With half an identity: (1, 0)
# and (1/4, 3/4). Multiplied by itself, the second row is
# $1/4\cdot(1,0)+3/4\cdot(1/4,3/4)=(7, 9)/16$. The last layer alone says half and half. Through both
# layers and past them, token 2 has kept 9/16 of itself.

# %%
weights, values = np.array([3 / 4, 1 / 4]), np.array([0, 8])
np.testing.assert_allclose(weights @ values, 2)
np.testing.assert_allclose(weights * values, [0, 2])
half = np.array([[1, 0], [1 / 4, 3 / 4]])
np.testing.assert_allclose((half @ half)[1], np.array([7, 9]) / 16)
np.testing.assert_allclose((half @ half)[1, 1], 9 / 16)

# %% [markdown]
# ## In code


# %%
def rollout(maps):  # L maps (T, T), the first layer first
    joint = np.eye(len(maps[0]))
    for a in maps:
        joint = (a + np.eye(len(a))) / 2 @ joint
    return joint  # (T, T): how much of each first token is in each last one


def relevance(maps, gradients):  # L maps (T, T), L gradients of the output by them
    joint = np.eye(len(maps[0]))
    for a, gradient in zip(maps, gradients, strict=True):
        joint = joint + np.maximum(a * gradient, 0) @ joint
    return joint


def deletion(probability, scores):  # a function of kept tokens (T,), and (T,)
    kept, points = np.ones(len(scores), bool), []
    for token in np.argsort(-scores):
        points.append(probability(kept))
        kept[token] = False
    points.append(probability(kept))
    return np.sum((np.array(points[1:]) + points[:-1]) / 2) / len(scores)  # area


A = np.array([[1, 0], [1 / 2, 1 / 2]])  # (T, T)
np.testing.assert_allclose(rollout([A, A]), [[1, 0], [7 / 16, 9 / 16]])
reads, gradient = np.array([weights, weights]), np.array([values, values])  # (T, T) each
np.testing.assert_allclose(relevance([reads], [gradient])[0], [1 + 0, 0 + 2])  # itself, and (0, 2)


def answer(kept):  # what the tokens that are left add to the output, as a share
    return weights[kept] @ values[kept] / 2


by_weight, by_relevance = deletion(answer, weights), deletion(answer, weights * values)
assert (by_weight, by_relevance) == (3 / 4, 1 / 4)

# %% [markdown]
# Deletion sees through the map: to remove the token of weight 3/4 first changes nothing, and the
# area is 3/4. To remove the other one first takes the answer away at once: 1/4.

# %% [markdown]
# ## In the library
#
# Rollout is `rollout_matrix` in `keras_attention/explain/attribution/propagation.py`, relevance is
# `relate` there. `keras_attention/explain/attribution/methods.py` calls them with a model. We build
# our two tokens as one: an embedding, attention pooling with the weights (3/4, 1/4), and a logit
# that reads the value.

# %%
maps = [A[None, None], A[None, None]]  # (B, N, T, T) each
np.testing.assert_allclose(ka.explain.rollout_matrix(maps)[0], rollout([A, A]))

token_ids = keras.Input((None,), dtype="int32")
embedding, pooling = keras.layers.Embedding(3, 2), ka.layers.AttentionPooling(1)
logits = keras.layers.Dense(2, use_bias=False)
toy = keras.Model(token_ids, logits(pooling(embedding(token_ids))))
embedding.set_weights([np.array([[0, 0], [np.log(3) / 2, 0], [0, 8]])])  # a score, and a value
pooling.kernel.assign([[1], [0]])
pooling.context.assign([[2 * np.log(3)]])
logits.set_weights([np.array([[0, 0], [1, 0]])])  # the first class reads the value
pair = np.array([[1, 2]])  # (B, T)
np.testing.assert_allclose(ops.convert_to_numpy(toy(pair))[0, 0], 2, rtol=1e-5)
by_attention = ka.explain.attention(toy, pair, target=0).scores[0]
np.testing.assert_allclose(by_attention, [3 / 4, 1 / 4], rtol=1e-5)
by_gradient = ka.explain.relevance(toy, pair, target=0).scores[0]
np.testing.assert_allclose(by_gradient, [0, 2], atol=1e-5)

# %% [markdown]
# ## Look
#
# `text_clinc` comes along with the zoo. It tells what a speaker wants, one of 150 things. We ask
# sixteen sentences, and remove words: those that relevance calls important, those that attention
# does, and random ones.

# %%
texts = [
    "what is my account balance please",
    "can you play some relaxing jazz music",
    "set an alarm for seven in the morning",
    "how do i say thank you in spanish",
    "book me a flight from boston to denver",
    "what is the weather going to be tomorrow",
    "please remind me to call my mother tonight",
    "how many calories are in a banana",
    "transfer fifty dollars to my savings account",
    "tell me a funny joke about cats",
    "when is my next credit card payment due",
    "how long does it take to cook rice",
    "i lost my luggage at the airport",
    "what is the traffic like on the way to work",
    "add milk and eggs to my shopping list",
    "what does the word gregarious mean",
]
model = zoo.load("text_clinc")
assert model.output_shape[-1] == 150
assert len(texts) == 16
measured = ka.explain.faithfulness(model, texts, ["relevance", "attention"], seed=0)
areas = {
    name: measured.measured[name].deletion.mean() for name in ("relevance", "attention", "random")
}
print({name: f"area {area:.2f}" for name, area in areas.items()}, "(low is good)")
assert areas["relevance"] < areas["attention"] - 0.1
assert areas["attention"] < areas["random"]

# %% mystnb={"image": {"alt": "Three falling curves of probability by the share of words removed. The one of relevance falls fastest, the one of random words slowest."}}
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
styles = {"relevance": "k-", "attention": "k--", "random": "k:"}
for name, style in styles.items():
    curve = measured.measured[name].deletion_curve.mean(axis=0)  # (steps + 1,)
    ax.plot(np.linspace(0, 1, len(curve)), curve, style, label=f"{name}, area {areas[name]:.2f}")
ax.set(xlabel="share of the words removed", ylabel="probability of the answer", ylim=(0, 1))
ax.set_title("Without the words that relevance calls important, the answer goes first")
_ = ax.legend(frameon=False)

# %% [markdown]
# The curves are means over the sentences. Read from the left: words are removed, those of the
# highest score first. A curve that falls early belongs to a ranking that found what the model uses.
# Attention itself is little better than chance here. Relevance, which weighs it by gradients and
# follows all layers, is far better.

# %% [markdown]
# ## Change
#
# Take another method. What should hold for any that deserves to be called an explanation? It beats
# random removal.

# %%
method = "rollout"  # CHANGE ME: try "attention", "gradient_x_input" or "leave_one_out"

result = ka.explain.faithfulness(model, texts, [method], seed=0)
area, chance = (result.measured[name].deletion.mean() for name in (method, "random"))
print(f"{method}: {area:.2f}, random: {chance:.2f}")

# %%
assert area < chance

# %% [markdown]
# One model and sixteen sentences prove little. The
# [measurements of the library](../faithfulness.md) take more. There, relevance beats rollout on
# a model of movie reviews, and not on one of digits. No method wins everywhere: measure on yours.

# %% [markdown]
# ## Mistakes
#
# - **One head, one layer, one example**, chosen because it looks good.
# - **Rows and columns mixed up.** A row is what a token reads, a column is who reads it.
# - **No random ranking beside.** On some models any removal hurts.
# - **A scale of its own for each map.** Then the weakest map looks as strong as the strongest.
# - **Relevance of a class that was not predicted**, read as if it were the answer.
# - **"It attends to the end of the sentence, so punctuation matters."** A head that has nothing to
#   read must put its weights somewhere.

# %% [markdown]
# ## Exercises
#
# 1. The values are (0, 8, 4) and the weights (3/4, 1/4, 0). Find other weights with the same
#    output. What does that say about weights as explanations?
# 2. Here is a map with rows (0.1, 0.9), (0.2, 0.8). Somebody says: "token 1 is read by everybody".
#    Is it?
# 3. Show that the rows of a rollout sum to 1. Those of relevance do not; why?

# %% tags=["hide-cell"]
# 1. Half on the first and half on the third. The output cannot tell which weights made it, so
# the map is one of many stories (Jain and Wallace, 2019).
three = np.array([0, 8, 4])
np.testing.assert_allclose(np.array([3 / 4, 1 / 4, 0]) @ three, 2)
np.testing.assert_allclose(np.array([1 / 2, 0, 1 / 2]) @ three, 2)

# %% tags=["hide-cell"]
# 2. No. Who reads token 1 stands in its column: 0.1 and 0.2. Token 2 is read by everybody.
read_by = np.array([[0.1, 0.9], [0.2, 0.8]]).sum(axis=0)
assert read_by.argmax() == 1

# %% tags=["hide-cell"]
# 3. Products of matrices whose rows sum to 1 have such rows. Relevance is in units of the output.
rng = np.random.default_rng(0)
maps = rng.dirichlet(np.ones(5), size=(4, 5))  # (L, T, T)
np.testing.assert_allclose(rollout(maps).sum(axis=1), np.ones(5))
assert not np.allclose(relevance(maps, rng.normal(size=maps.shape)).sum(axis=1), 1)

# %% [markdown]
# ## Limits and sources
#
# Removal has a flaw of its own: a sentence without words is unlike any that the model knows. And a
# faithful map of a wrong model is a faithful map of its errors. That is what it is good for.
#
# - Rollout: Abnar and Zuidema, 2020, [ACL](https://aclanthology.org/2020.acl-main.385).
# - Relevance: Chefer et al., 2021, [arXiv 2103.15679](https://arxiv.org/abs/2103.15679).
# - "Attention is not explanation": Jain and Wallace, 2019,
#   [arXiv 1902.10186](https://arxiv.org/abs/1902.10186). An answer: Wiegreffe and Pinter, 2019,
#   [arXiv 1908.04626](https://arxiv.org/abs/1908.04626).
# - Deletion: Petsiuk et al., 2018, [arXiv 1806.07421](https://arxiv.org/abs/1806.07421).
#
# This is the last lesson. [Where it all began](01_query_key_value.py) reads differently now.
