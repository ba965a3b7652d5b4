# %% [markdown]
# # Why GATv2?
#
# In the first graph attention every node ranks the other nodes in the same order, whoever asks.
# GATv2 swaps two steps of the score, and then each node can have its own favourite.

# %% [markdown]
# ## You need
#
# [What are query, key and value?](01_query_key_value.py) and [additive
# scores](02_how_attention_began.py).
#
# - A graph: nodes with features $h_i$, and edges. Node $i$, the **target**, reads its neighbours
#   $j$, the **sources**. $N$ nodes, $F$ features each, $H$ numbers of a head.
# - $W_t$, $W_s$: matrices $(F, H)$; $a$, $a_t$, $a_s$: vectors of $H$ numbers.
# - $e_{ij}$: the score that node $i$ gives node $j$; $\alpha_{ij}$: the weight, its softmax.
# - LeakyReLU: leaves positive numbers as they are, and multiplies negative ones by 0.2.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or "jax" or "tensorflow", before Keras

from itertools import permutations

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

import keras_attention as ka

# %% [markdown]
# ## The idea
#
# A node of a graph learns from its neighbours. A plain graph network takes their mean. Graph
# attention takes a *weighted* mean, so that a node may read the neighbours that matter to it.
#
# "That matter *to it*": this is the point of attention. Think of people who each look for their
# own name on a shared list. All see the same list. Each has to read another line. A layer that
# gives all of them the same line is of no use, however well it is trained.
#
# The first graph attention network (GAT) has just this limit, and for years few noticed. Its score
# adds a number of the reader and a number of the read. The number of the reader is the same for all
# lines of the list. So it cannot change which line comes first.

# %% [markdown]
# ## The equation
#
# GAT (Velickovic et al., 2018, [arXiv 1710.10903](https://arxiv.org/abs/1710.10903), equation 3)
# has one matrix $W$. GATv2 (Brody et al., 2022,
# [arXiv 2105.14491](https://arxiv.org/abs/2105.14491), equation 7) has two:
#
# $$e_{ij}^{\text{GAT}} = \mathrm{LeakyReLU}\big(a_t^\top W h_i + a_s^\top W h_j\big)$$
#
# $$e_{ij}^{\text{GATv2}} = a^\top\, \mathrm{LeakyReLU}\big(W_t h_i + W_s h_j\big)$$
#
# Then both take a softmax over the neighbours $j$ of $i$, and the output is
# $\sum_j \alpha_{ij} W_s h_j$.
#
# **Why all rows of GAT rank alike.** Fix the reader $i$. Then $c = a_t^\top W h_i$ is one number,
# and the score is $\mathrm{LeakyReLU}(c + r_j)$ with $r_j = a_s^\top W h_j$. LeakyReLU never turns
# an order round: it only rises. So the neighbour with the largest $r_j$ has the largest score for
# every $i$. The reader can make the weights sharper or flatter. It cannot choose.
#
# **Why GATv2 can.** The LeakyReLU now stands *between* the sum and $a$. It bends each of the $H$
# numbers where the sum of both sides changes sign. Where that is depends on $i$ and $j$ together.
#
# **Sum or concatenation?** The papers write $W[h_i \,\|\, h_j]$. That is the same: a matrix times
# two stacked vectors is its left half times the first, plus its right half times the second.

# %% [markdown]
# ## By hand
#
# Three nodes with the features 0, 1, 2; each reads all three, itself included.
#
# **GAT.** $W=1$ and $a_t=a_s=\ln 2$. The score is $\ln 2\cdot(i+j)$; no sum is negative. In each
# row $2^i$ cancels, and the weights are $(1, 2, 4)/7$. Everybody reads node 2 most.
#
# **GATv2.** $H=2$. Let $W_s=(1,-1)$ and $W_t=(-1,1)$. The sum is $(j-i,\ i-j)$: the distance and
# its opposite. LeakyReLU leaves the positive one, and takes 0.2 of the negative one. Together they
# are $|i-j| - 0.2\,|i-j| = 0.8\,|i-j|$. With $a=-\ln 2/0.8$, twice, the score is
# $-\ln 2\cdot|i-j|$. So a node at distance $d$ counts $1/2^d$:
#
# - node 0: (1, 1/2, 1/4), which is $(4,2,1)/7$;
# - node 1: (1/2, 1, 1/2), which is $(1,2,1)/4$;
# - node 2: (1/4, 1/2, 1), which is $(1,2,4)/7$.
#
# Each node reads itself most. A bent line has become a distance, and that no GAT can do.

# %%
gat_by_hand = np.array([[1, 2, 4]] * 3) / 7
distance = np.abs(np.arange(3)[:, None] - np.arange(3))  # (N, N)
np.testing.assert_allclose(distance - 0.2 * distance, 0.8 * distance)
closeness = 1 / 2**distance
np.testing.assert_allclose(closeness[0], [1, 1 / 2, 1 / 4])
np.testing.assert_allclose(closeness[1], [1 / 2, 1, 1 / 2])
np.testing.assert_allclose(closeness[2], [1 / 4, 1 / 2, 1])
gatv2_by_hand = np.array([[4 / 7, 2 / 7, 1 / 7], [1 / 4, 2 / 4, 1 / 4], [1 / 7, 2 / 7, 4 / 7]])
np.testing.assert_allclose(closeness / closeness.sum(1, keepdims=True), gatv2_by_hand)

# %% [markdown]
# ## In code


# %%
def leaky_relu(x):
    return np.where(x > 0, x, 0.2 * x)


def softmax(scores, adjacency):  # (N, N), (N, N) whether i reads j
    exp = np.exp(scores - scores.max(axis=-1, keepdims=True)) * adjacency
    return exp / exp.sum(axis=-1, keepdims=True)


def gat(h, adjacency, w, a_t, a_s):  # (N, F), (N, N), (F, H), (H,), (H,)
    reader, read = h @ w @ a_t, h @ w @ a_s  # (N,) each: one number for each node
    return softmax(leaky_relu(reader[:, None] + read[None, :]), adjacency)


def gatv2(h, adjacency, w_t, w_s, a):  # (N, F), (N, N), (F, H), (F, H), (H,)
    pairs = (h @ w_t)[:, None] + (h @ w_s)[None, :]  # (N, N, H): row i reads column j
    return softmax(leaky_relu(pairs) @ a, adjacency)


h, everybody = np.array([[0.0], [1.0], [2.0]]), np.ones((3, 3))
w_s, w_t = np.array([[1.0, -1.0]]), np.array([[-1.0, 1.0]])
a = np.full(2, -np.log(2) / 0.8)
of_gat = gat(h, everybody, np.ones((1, 1)), np.log([2]), np.log([2]))
of_gatv2 = gatv2(h, everybody, w_t, w_s, a)
np.testing.assert_allclose(of_gat, gat_by_hand)
np.testing.assert_allclose(of_gatv2, gatv2_by_hand)

# %% [markdown]
# Look at the shapes. GAT keeps one number for each node, GATv2 $H$ numbers for each pair. That is
# its price: memory for pairs (of edges, where the graph is sparse), and a second matrix.

# %% [markdown]
# ## In the library
#
# `GraphAttention` has both, in `keras_attention/layers/attention/graph_attention.py`; each score
# stands beside its equation in `keras_attention/layers/attention/graph_scores.py`. It takes a
# dense `adjacency`, or `edges` as pairs (source, target).

# %%
features = h[None].astype("float32")  # (B, N, F)
settings = dict(use_bias=False, self_loops=True)

layer = ka.layers.GraphAttention(1, variant="gat", **settings)
layer.build(features.shape)
layer.source_kernel.assign([[1.0]])  # W
layer.attention_target.assign([[np.log(2)]])
layer.attention_source.assign([[np.log(2)]])
_, weights = layer(features, adjacency=everybody[None], return_attention_scores=True)
np.testing.assert_allclose(ops.convert_to_numpy(weights)[0, 0], gat_by_hand, atol=1e-6)

layer = ka.layers.GraphAttention(2, variant="gatv2", **settings)
layer.build(features.shape)
layer.source_kernel.assign(w_s)
layer.target_kernel.assign(w_t)
layer.attention_source.assign(a[None])
output, weights = layer(features, adjacency=everybody[None], return_attention_scores=True)
np.testing.assert_allclose(ops.convert_to_numpy(weights)[0, 0], gatv2_by_hand, atol=1e-6)
np.testing.assert_allclose(ops.convert_to_numpy(output)[0], gatv2_by_hand @ (h @ w_s), atol=1e-6)

edges = np.array([[[j, i] for i in range(3) for j in range(3) if i != j]])  # (B, E, 2)
by_edges = ops.convert_to_numpy(layer(features, edges=edges))  # loops are added by the layer
np.testing.assert_allclose(by_edges, ops.convert_to_numpy(output), atol=1e-6)

# %% [markdown]
# ## Look

# %% mystnb={"image": {"alt": "Two three by three tables of weights. GAT: all rows are 1/7, 2/7, 4/7. GATv2: the largest weights, 4/7, 2/4 and 4/7, are on the diagonal."}}
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
texts = (
    [["1/7", "2/7", "4/7"]] * 3,
    [["4/7", "2/7", "1/7"], ["1/4", "2/4", "1/4"], ["1/7", "2/7", "4/7"]],
)
titles = ("GAT: all have one favourite", "GATv2: each has its own")
for ax, weights, text, title in zip(axes, (of_gat, of_gatv2), texts, titles, strict=True):
    shown = ax.imshow(weights, cmap="viridis", vmin=0, vmax=0.6)
    for (i, j), weight in np.ndenumerate(weights):
        colour = "black" if weight > 0.4 else "white"
        ax.text(j, i, text[i][j], ha="center", va="center", color=colour, fontsize=12)
        best = j == weights[i].argmax()
        if best:
            ax.add_patch(plt.Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, fill=False, lw=3, ec="k"))
    ax.set(xticks=range(3), yticks=range(3), xlabel="node that is read", title=title)
axes[0].set_ylabel("node that reads")
_ = figure.colorbar(shown, ax=axes, label="weight")

# %% [markdown]
# A row is a reader and sums to 1. The frame marks its largest weight: in one column with GAT, on
# the diagonal with GATv2.

# %% [markdown]
# ## Change
#
# The shared list, as a task (section 4.1 of the paper, with five names instead of ten). Five
# nodes ask, five nodes hold a name and a value; all who ask see all five. Each must say the value
# of *its* name. Values are shuffled anew in each graph, and graphs of the test never came before.
#
# Which variant can learn it? Guessing is right in one of five. Expect GAT to stay close to that
# even on the graphs that it trains on: more training will not help.

# %%
variant = "gat"  # CHANGE ME: try "gatv2"

K = 5
values = np.array(list(permutations(range(K))))  # (120, K): values of the names in each graph
values = values[np.random.default_rng(0).permutation(len(values))]
nodes = np.zeros((len(values), 2 * K, 2 * K), "float32")  # (B, N, F): name and value, one-hot
nodes[:, range(K), range(K)] = 1  # nodes that ask: the name alone
nodes[:, range(K, 2 * K), range(K)] = 1  # nodes that hold: the name ...
for name in range(K):
    nodes[range(len(values)), K + name, K + values[:, name]] = 1  # ... and its value
lists = np.zeros((len(values), 2 * K, 2 * K), "float32")  # (B, N, N)
lists[:, :K, K:] = 1  # who asks reads all who hold


def train(variant):
    keras.utils.set_random_seed(0)
    graph = keras.Input((2 * K, 2 * K)), keras.Input((2 * K, 2 * K))
    x = ka.layers.GraphAttention(32, variant=variant, name="attention")(
        graph[0], adjacency=graph[1]
    )
    x = keras.layers.Dense(K)(keras.layers.Activation("elu")(x))  # (B, N, K)
    model = keras.Model(graph, x[:, :K])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit([nodes[:100], lists[:100]], values[:100], batch_size=20, epochs=80, verbose=0)
    return model


def share_right(model, rows):
    answers = ops.convert_to_numpy(model([nodes[rows], lists[rows]])).argmax(-1)  # (B, K)
    return float(np.mean(answers == values[rows]))


trained = {name: train(name) for name in ("gatv2", variant)}
right = {
    name: (share_right(model, slice(0, 100)), share_right(model, slice(100, 120)))
    for name, model in trained.items()
}
print("right in training and in the test:", right)

# %%
assert len(values) == 120
assert min(right["gatv2"]) > 0.9
if variant == "gat":
    assert max(right["gat"]) < 0.5

# %% [markdown]
# Do the five rank the list in their own way? We sort the list by the weights of each reader, and
# count the graphs in which all five get the same order. With GAT that must be all graphs, trained
# or not: it is a theorem. (With GATv2 the own name need not come first. A layer may also learn to
# leave it out. What counts is that the rows differ.)

# %%
alike = {}
for name, model in trained.items():
    with ka.capture() as maps:
        model([nodes[100:], lists[100:]])
    (weights,) = (ops.convert_to_numpy(w) for w in maps.values())  # (B, heads, N, N)
    order = weights[:, 0, :K, K:].argsort(axis=-1)  # (B, K, K)
    alike[name] = float(np.mean((order == order[:, :1]).all(axis=(1, 2))))
print("graphs where all rank alike:", alike)
assert alike["gatv2"] < 0.1
if variant == "gat":
    assert alike["gat"] > 0.9

# %% [markdown]
# ## Mistakes
#
# - **Edges turned round.** An edge is (source, target), and the target reads. Turned round, the
#   list reads the people.
# - **Softmax over the wrong end.** The weights of one *reader* sum to 1.
# - **No self-loop**, where a node should know itself. The layer adds one by default.
# - **GATv2 without the nonlinearity.** $a^\top(W_t h_i + W_s h_j)$ is GAT again, and ranks alike.
# - **Believing that several heads help GAT.** Each head ranks alike; each has one favourite.
# - **A heatmap of GAT as "who matters to whom".** It shows who matters to all.

# %% [markdown]
# ## Exercises
#
# 1. Draw random weights and features for GAT. Check that all rows rank alike, also with negative
#    scores. What does the reader still change?
# 2. Show that a sum of two products equals one product of stacked vectors.
# 3. Can GATv2 do what GAT does? Find weights for $(1,2,4)/7$ in each row.

# %% tags=["hide-cell"]
# 1. The order never changes; how sharp the weights are does, as LeakyReLU flattens negative sums.
rng = np.random.default_rng(0)
spread = []
for _ in range(100):
    nodes_of, w = rng.normal(size=(6, 3)), rng.normal(size=(3, 4))  # (N, F), (F, H)
    rows = gat(nodes_of, np.ones((6, 6)), w, *rng.normal(size=(2, 4)))  # (N, N)
    assert (rows.argsort(axis=1) == rows.argsort(axis=1)[0]).all()
    spread.append(np.ptp(rows.max(axis=1)))
assert max(spread) > 0.01

# %% tags=["hide-cell"]
# 2. The left half of the matrix meets the first vector, the right half the second.
one, two, left, right_half = (rng.normal(size=size) for size in (3, 3, (3, 2), (3, 2)))
stacked = np.concatenate([one, two]) @ np.concatenate([left, right_half])
np.testing.assert_allclose(stacked, one @ left + two @ right_half)

# %% tags=["hide-cell"]
# 3. No reader, and sums that are never negative: the bend is never met.
same = gatv2(h, everybody, np.zeros((1, 1)), np.ones((1, 1)), np.log([2]))
np.testing.assert_allclose(same, gat_by_hand)

# %% [markdown]
# ## Limits and sources
#
# "Can rank differently" is not "is better". On graphs where the important nodes are important for
# all, GAT does as well and costs less. Try GAT where neighbours are alike, and GATv2 where each
# node asks for something of its own. And GATv2 is not the only cure: the dot product of the
# [transformer](05_where_qkv_come_from.py) ranks per reader too.
#
# - Velickovic et al., 2018, [arXiv 1710.10903](https://arxiv.org/abs/1710.10903).
# - Brody et al., 2022, [arXiv 2105.14491](https://arxiv.org/abs/2105.14491): static and dynamic
#   attention, theorems 1 and 2.
#
# Next: [How does attention see?](18_vision.py)
