"""Rollout and relevance of matrices, against the published arithmetic written anew, and by hand."""

import numpy as np
import pytest

from keras_attention.explain import rollout_matrix
from keras_attention.explain.attribution import propagation
from keras_attention.explain.maps.stream import Read, Stream

pytestmark = pytest.mark.runs_on("torch")


def attention(*shape, seed=0, seen=None):
    """Weights whose rows sum to 1."""
    logits = np.random.default_rng(seed).normal(size=shape)
    if seen is not None:
        logits = np.where(seen, logits, -np.inf)
    raw = np.exp(logits)
    return raw / raw.sum(axis=-1, keepdims=True)


def positive(*shape, seed=0):
    """Weights times gradient, without what is negative: no row sums to anything in particular."""
    return np.maximum(np.random.default_rng(seed).normal(size=shape), 0) / 2


def joint_attention(layers, residual=True):
    """`compute_joint_attention` of github.com/samiraabnar/attention_flow, of one input.

    Args:
        layers: one `(T, T)` for each layer, the first one first.
    """
    joint = None
    for layer in layers:
        length = len(layer)
        augmented = np.zeros((length, length))
        for i in range(length):
            for j in range(length):
                augmented[i, j] = layer[i, j] + (1.0 if residual and i == j else 0.0)
            total = sum(augmented[i])
            if residual:
                augmented[i] = [value / total for value in augmented[i]]
        joint = augmented if joint is None else np.dot(augmented, joint)
    return joint


def vit_rollout(layers, fusion, discard_ratio):
    """`rollout` of github.com/jacobgil/vit-explain, of one input.

    But its rows sum to 1, which those of the original do not, for it divides columns by the sums
    of rows; and the first entry is as good as any other.
    """
    length = layers[0].shape[-1]
    result = np.eye(length)
    for heads in layers:
        fused = {"mean": heads.mean(0), "max": heads.max(0), "min": heads.min(0)}[fusion].copy()
        flat = fused.reshape(-1)
        for lowest in sorted(range(flat.size), key=lambda i: flat[i])[
            : int(flat.size * discard_ratio)
        ]:
            flat[lowest] = 0
        a = (fused + np.eye(length)) / 2
        result = (a / a.sum(axis=-1, keepdims=True)) @ result
    return result


def test_rollout_is_that_of_abnar_and_zuidema():
    maps = [attention(3, 2, 5, 5, seed=layer) for layer in range(4)]
    rollout = rollout_matrix(maps)
    assert rollout.shape == (3, 5, 5)
    for b in range(3):
        expected = joint_attention([layer[b].mean(axis=0) for layer in maps])
        np.testing.assert_allclose(rollout[b], expected, atol=1e-12)
    without = rollout_matrix({str(i): layer for i, layer in enumerate(maps)}, residual=False)
    for b in range(3):
        expected = joint_attention([layer[b].mean(axis=0) for layer in maps], residual=False)
        np.testing.assert_allclose(without[b], expected, atol=1e-12)
    single = rollout_matrix([layer.astype("float32") for layer in maps])
    np.testing.assert_allclose(single, rollout, atol=1e-6)


@pytest.mark.parametrize("discard_ratio", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
def test_rollout_with_fusion_and_discarding_is_that_of_vit_explain(fusion, discard_ratio):
    maps = [attention(3, 2, 6, 6, seed=layer) for layer in range(3)]
    rollout = rollout_matrix(maps, head_fusion=fusion, discard_ratio=discard_ratio)
    for b in range(3):
        expected = vit_rollout([layer[b] for layer in maps], fusion, discard_ratio)
        np.testing.assert_allclose(rollout[b], expected, atol=1e-12)
    np.testing.assert_allclose(rollout.sum(axis=-1), 1, atol=1e-12)


def test_rollout_of_the_identity_is_the_identity():
    identity = np.broadcast_to(np.eye(4), (2, 3, 4, 4))
    for residual in (True, False):
        rollout = rollout_matrix([identity] * 3, residual=residual)
        np.testing.assert_allclose(rollout, np.broadcast_to(np.eye(4), (2, 4, 4)), atol=1e-15)


def test_rollout_of_one_layer_is_half_of_it_and_half_of_the_identity():
    one = attention(2, 1, 4, 4)
    np.testing.assert_allclose(rollout_matrix([one]), (one[:, 0] + np.eye(4)) / 2, atol=1e-15)


def test_rollout_of_causal_attention_is_causal():
    order = np.tril(np.ones((5, 5), bool))
    rollout = rollout_matrix([attention(2, 2, 5, 5, seed=i, seen=order) for i in range(3)])
    assert (rollout[:, ~order] == 0).all()
    assert (rollout[:, order] > 0).all()
    np.testing.assert_allclose(rollout.sum(axis=-1), 1, atol=1e-12)


def test_rows_without_attention_keep_what_they_are():
    """As of padding that nothing is seen of."""
    weights = attention(1, 1, 3, 3)
    weights[:, :, 2] = 0
    np.testing.assert_allclose(rollout_matrix([weights] * 2)[0, 2], [0, 0, 1])
    np.testing.assert_array_equal(rollout_matrix([weights] * 2, residual=False)[0, 2], 0)


def test_rollout_leaves_its_maps_alone():
    maps = [attention(1, 1, 4, 4, seed=i) for i in range(2)]
    copies = [layer.copy() for layer in maps]
    rollout_matrix(maps, discard_ratio=0.5)
    for layer, copy in zip(maps, copies, strict=True):
        np.testing.assert_array_equal(layer, copy)


@pytest.mark.parametrize(
    ("maps", "settings", "message"),
    [
        ([], {}, "a layer at least"),
        ([np.ones((1, 1, 3, 4))], {}, "self-attention"),
        ([np.ones((1, 3, 3))], {}, "self-attention"),
        ([np.ones((1, 1, 3, 3)), np.ones((1, 1, 4, 4))], {}, "of one length"),
        ([np.ones((1, 1, 3, 3)), np.ones((2, 1, 3, 3))], {}, "of one length"),
        ([np.ones((1, 1, 3, 3))], {"head_fusion": "sum"}, "head_fusion"),
        ([np.ones((1, 1, 3, 3))], {"discard_ratio": 1.0}, "discard_ratio"),
    ],
)
def test_rollout_says_what_it_cannot_do(maps, settings, message):
    with pytest.raises(ValueError, match=message):
        rollout_matrix(maps, **settings)


TEXT, IMAGE = Stream("text"), Stream("image")


def test_relevance_of_self_attention_worked_by_hand():
    """Two layers over two tokens; equation 6, R = R + A R, from R = I.

    First layer A = [[.5, 0], [.25, .25]]:
        R = I + A                             = [[1.5, 0], [.25, 1.25]]
    Second layer A = [[0, 1], [.5, .5]]:
        A R = [[.25, 1.25], [.875, .625]]
        R + A R                               = [[1.75, 1.25], [1.125, 1.875]]
    """
    weights = {"0": [[0.5, 0], [0.25, 0.25]], "1": [[0, 1], [0.5, 0.5]]}
    reads = [Read(path, TEXT, TEXT) for path in weights]
    relevance = propagation.relate(reads, {k: np.array([w]) for k, w in weights.items()})
    np.testing.assert_array_equal(relevance[TEXT, TEXT][0], [[1.75, 1.25], [1.125, 1.875]])


def test_relevance_of_an_encoder_and_decoder_worked_by_hand():
    """One source of two tokens, one target of two; equations 6 to 10.

    Source, self-attention [[1, 1], [0, 2]]:
        R_ss = I + A                          = [[2, 1], [0, 3]]
    Target, self-attention [[1, 0], [1, 1]]:
        R_tt = I + A                          = [[2, 0], [1, 2]]
    The target reads the source by A = [[1, 0], [0, 2]]:
        R_ss - I = [[1, 1], [0, 2]], rows divided by 2 and 2, plus I   (equations 8 and 9)
                                              = [[1.5, .5], [0, 2]]
        R_tt - I = [[1, 0], [1, 1]], rows divided by 1 and 2, plus I
                                              = [[2, 0], [.5, 1.5]]
        its transpose times A                 = [[2, .5], [0, 1.5]] A = [[2, 1], [0, 3]]
        times the source's                    = [[3, 3], [0, 6]]       (equation 10)
    Another layer of the target, self-attention [[0, 1], [0, 0]]:
        R_ts = R_ts + A R_ts                  = [[3, 9], [0, 6]]       (equation 7)
        R_tt = R_tt + A R_tt                  = [[3, 2], [1, 2]]
    """
    weights = {
        "source": [[1, 1], [0, 2]],
        "target": [[1, 0], [1, 1]],
        "cross": [[1, 0], [0, 2]],
        "last": [[0, 1], [0, 0]],
    }
    reads = [
        Read("source", IMAGE, IMAGE),
        Read("target", TEXT, TEXT),
        Read("cross", TEXT, IMAGE),
        Read("last", TEXT, TEXT),
    ]
    relevance = propagation.relate(reads, {k: np.array([w], float) for k, w in weights.items()})
    np.testing.assert_allclose(relevance[TEXT, IMAGE][0], [[3, 9], [0, 6]])
    np.testing.assert_allclose(relevance[TEXT, TEXT][0], [[3, 2], [1, 2]])
    np.testing.assert_allclose(relevance[IMAGE, IMAGE][0], [[2, 1], [0, 3]])
    np.testing.assert_array_equal(relevance[IMAGE, TEXT], 0)


class TwoStreams:
    """Section 3.2 of arXiv 2103.15679 for two modalities, one entry after the other."""

    def __init__(self, texts, images):
        eye, zeros = np.eye, np.zeros
        self.r = {
            "tt": eye(texts),
            "ii": eye(images),
            "ti": zeros((texts, images)),
            "it": zeros((images, texts)),
        }

    def self_attention(self, s, a):
        """Equations 6 and 7."""
        q = "i" if s == "t" else "t"
        own, other = self.times(a, self.r[s + s]), self.times(a, self.r[s + q])
        self.r[s + s] = self.r[s + s] + own
        self.r[s + q] = self.r[s + q] + other

    def update(self, s, a):
        """Equations 8 to 11: what is added to R_sq and to R_ss when s reads q."""
        q = "i" if s == "t" else "t"
        mine, its = self.normalised(self.r[s + s]), self.normalised(self.r[q + q])
        return self.times(self.times(mine.T, a), its), self.times(a, self.r[q + s])

    def co_attention(self, of_text, of_image):
        """Both sides read what the other one was before, as `lxmert` of the authors' code."""
        text, image = self.update("t", of_text), self.update("i", of_image)
        for key, more in zip(("ti", "tt", "it", "ii"), (*text, *image), strict=True):
            self.r[key] = self.r[key] + more

    def cross(self, s, a):
        """One side alone reads."""
        other, own = self.update(s, a)
        q = "i" if s == "t" else "t"
        self.r[s + q], self.r[s + s] = self.r[s + q] + other, self.r[s + s] + own

    @staticmethod
    def times(a, b):
        result = np.zeros((a.shape[0], b.shape[1]))
        for i in range(a.shape[0]):
            for j in range(b.shape[1]):
                for k in range(a.shape[1]):
                    result[i, j] += a[i, k] * b[k, j]
        return result

    @staticmethod
    def normalised(r):
        result = np.eye(len(r))
        for i in range(len(r)):
            rest = [r[i, j] - (i == j) for j in range(len(r))]
            for j in range(len(r)):
                result[i, j] += rest[j] / sum(rest) if sum(rest) else 0
        return result


def test_relevance_of_co_attention_is_that_of_the_paper():
    """Two rounds as of LXMERT: self-attention, then both sides read the other at once."""
    texts, images, batch = 3, 4, 2
    shapes = {"t": (texts, texts), "i": (images, images)}
    shapes |= {"ti": (texts, images), "it": (images, texts)}
    weights, reads, written = {}, [], {"t": 0, "i": 0}
    stream = {"t": "text", "i": "image"}

    def at(side):
        return Stream(stream[side], (), written[side])

    for n in range(2):
        for side in ("t", "i"):
            reads.append(Read(f"{side}{n}", at(side), at(side)))
            written[side] += 1
        reads += [Read(f"ti{n}", at("t"), at("i")), Read(f"it{n}", at("i"), at("t"))]
        written = {side: number + 1 for side, number in written.items()}
        for kind, shape in shapes.items():
            weights[f"{kind}{n}"] = positive(batch, *shape, seed=len(weights))
    relevance = propagation.relate(reads, weights)
    for b in range(batch):
        paper = TwoStreams(texts, images)
        for n in range(2):
            for side in ("t", "i"):
                paper.self_attention(side, weights[f"{side}{n}"][b])
            paper.co_attention(weights[f"ti{n}"][b], weights[f"it{n}"][b])
        for pair, expected in paper.r.items():
            query, key = (Stream(stream[side]) for side in pair)
            np.testing.assert_allclose(relevance[query, key][b], expected, atol=1e-12, err_msg=pair)


def test_relevance_when_the_second_side_reads_what_the_first_has_read():
    """Unlike above: the image's layer comes behind the text's."""
    ti, it, last = positive(1, 3, 4), positive(1, 4, 3, seed=1), positive(1, 3, 4, seed=2)
    reads = [Read("ti", TEXT, IMAGE), Read("it", IMAGE, TEXT), Read("last", TEXT, IMAGE)]
    relevance = propagation.relate(reads, {"ti": ti, "it": it, "last": last})
    paper = TwoStreams(3, 4)
    paper.cross("t", ti[0])
    paper.cross("i", it[0])
    paper.cross("t", last[0])
    for pair, query, key in (("tt", TEXT, TEXT), ("ti", TEXT, IMAGE), ("ii", IMAGE, IMAGE)):
        np.testing.assert_allclose(relevance[query, key][0], paper.r[pair], atol=1e-12)


def test_rollout_of_an_encoder_and_decoder():
    """The last cross-attention counts, between the rollouts of the two sides."""
    source = [attention(1, 4, 4, seed=i) for i in range(2)]
    target = [attention(1, 3, 3, seed=i + 2) for i in range(2)]
    cross = [attention(1, 3, 4, seed=i + 4) for i in range(2)]
    reads, weights = [], {}

    def read(name, query, key, a):
        reads.append(Read(name, query, key))
        weights[name] = a

    for i in range(2):
        read(f"source{i}", IMAGE, IMAGE, source[i])
    for i in range(2):
        read(f"target{i}", TEXT, TEXT, target[i])
        read(f"cross{i}", TEXT, IMAGE, cross[i])
    rollout = propagation.roll_out(reads, weights)
    ours = joint_attention([a[0] for a in target])
    theirs = joint_attention([a[0] for a in source])
    np.testing.assert_allclose(rollout[TEXT, TEXT][0], ours, atol=1e-12)
    np.testing.assert_allclose(rollout[TEXT, IMAGE][0], ours @ cross[1][0] @ theirs, atol=1e-12)
    np.testing.assert_allclose(rollout[TEXT, IMAGE].sum(axis=-1), 1, atol=1e-12)


def test_a_sequence_that_changes_its_length_cannot_be_followed():
    reads = [Read("0", TEXT, TEXT), Read("1", TEXT, TEXT)]
    weights = {"0": np.ones((1, 4, 4)), "1": np.ones((1, 2, 2))}
    with pytest.raises(ValueError, match=r"'text' has 4 positions .* and 2 in '1'"):
        propagation.relate(reads, weights)


# What comes out at an input: A and B are two layers.
A, B = positive(2, 3, 3, seed=8), positive(2, 3, 3, seed=9)
FIRST = np.zeros(2, int)


def test_rows_of_an_output_at_its_own_input():
    relevance = propagation.relate([Read("0", TEXT, TEXT)], {"0": A})
    rows = np.array([2, 0])
    expected = np.stack([(np.eye(3) + A[0])[2], (np.eye(3) + A[1])[0]])
    np.testing.assert_allclose(propagation.at_input(relevance, TEXT, TEXT, rows), expected)
    mean = np.full((2, 3), 1 / 3)  # as mean pooling reads it
    expected = (np.eye(3) + A).mean(axis=1)
    np.testing.assert_allclose(propagation.at_input(relevance, TEXT, TEXT, mean), expected)
    assert propagation.at_input(relevance, TEXT, IMAGE, rows) is None
    assert propagation.at_input(relevance, IMAGE, TEXT, rows) is None


def test_a_class_token_goes_before_the_input():
    token = Stream("class_token", ((TEXT, 2),))  # and a register
    more = positive(2, 5, 5)
    relevance = propagation.relate(
        [Read("0", TEXT, TEXT), Read("1", token, token)], {"0": A, "1": more}
    )
    inner = np.eye(3) + A
    expected = np.einsum("bs,bst->bt", (np.eye(5) + more)[:, 0, 2:], inner)
    np.testing.assert_allclose(propagation.at_input(relevance, token, TEXT, FIRST), expected)
    alone = propagation.relate([Read("1", token, token)], {"1": more})
    expected = (np.eye(5) + more)[:, 0, 2:]
    np.testing.assert_allclose(propagation.at_input(alone, token, TEXT, FIRST), expected)


def test_sequences_that_are_put_together():
    both = Stream("both", ((TEXT, 0), (IMAGE, None)))  # of a text whose length was not known
    more = positive(2, 7, 7)
    reads = [Read("0", TEXT, TEXT), Read("1", both, both)]
    relevance = propagation.relate(reads, {"0": A, "1": more})
    row = (np.eye(7) + more)[:, 0]
    text = propagation.at_input(relevance, both, TEXT, FIRST)
    np.testing.assert_allclose(text, np.einsum("bs,bst->bt", row[:, :3], np.eye(3) + A))
    np.testing.assert_allclose(propagation.at_input(relevance, both, IMAGE, FIRST), row[:, 3:])


def test_the_lengths_of_what_is_put_together():
    """Three tokens and a question of one, of which no attention says so."""
    both = Stream("both", ((TEXT, 0), (IMAGE, -1)))
    more = positive(2, 4, 4)
    for sizes in ({TEXT: 3}, {IMAGE: 1}):
        relevance = propagation.relate([Read("0", both, both)], {"0": more})
        relevance.sizes = sizes
        (target,) = sizes
        row = (np.eye(4) + more)[:, 1]
        expected = row[:, :3] if target == TEXT else row[:, 3:]
        scores = propagation.at_input(relevance, both, target, FIRST + 1)
        np.testing.assert_allclose(scores, expected)
    unknown = propagation.relate([Read("0", both, both)], {"0": more})
    with pytest.raises(ValueError, match="'both' is put together of 'text', 'image'"):
        propagation.at_input(unknown, both, TEXT, FIRST)


def test_pooling_reads_what_the_sequence_has_become():
    pooled = Stream("pooling")
    a, shares = attention(2, 3, 3), attention(2, 1, 3, seed=1)
    reads = [Read("0", TEXT, TEXT), Read("pooling", pooled, TEXT)]
    rolled = propagation.roll_out(reads, {"0": a, "pooling": shares})
    expected = np.einsum("bs,bst->bt", shares[:, 0], (a + np.eye(3)) / 2)
    np.testing.assert_allclose(propagation.at_input(rolled, pooled, TEXT, FIRST), expected)
    relevant = propagation.relate(reads, {"0": A, "pooling": B[:, :1]})
    for b in range(2):  # equation 10, with the identity on the side of the pooling
        expected = B[b, 0] @ TwoStreams.normalised(np.eye(3) + A[b])
        scores = propagation.at_input(relevant, pooled, TEXT, FIRST)[b]
        np.testing.assert_allclose(scores, expected)


def test_words_segments_and_their_pooling():
    segments, pooled = Stream("segments"), Stream("pooling")
    words, last = positive(2, 2, 3), positive(2, 1, 2, seed=1)
    reads = [Read("words", segments, TEXT), Read("last", pooled, segments)]
    for follow in (propagation.roll_out, propagation.relate):
        relations = follow(reads, {"words": words, "last": last})
        expected = np.einsum("bs,bst->bt", last[:, 0], words)
        np.testing.assert_allclose(propagation.at_input(relations, pooled, TEXT, FIRST), expected)


def test_one_layer_alone():
    relations = propagation.read_once(Read("0", TEXT, TEXT), A)
    np.testing.assert_array_equal(propagation.at_input(relations, TEXT, TEXT, FIRST), A[:, 0])
    relations = propagation.read_once(Read("0", TEXT, IMAGE), A)
    np.testing.assert_array_equal(propagation.at_input(relations, TEXT, IMAGE, FIRST), A[:, 0])
    assert propagation.at_input(relations, TEXT, TEXT, FIRST) is None


EDGES = np.array(
    [
        [[0, 1], [1, 2], [2, 0], [3, 2], [0, 3], [-1, -1]],
        [[1, 0], [2, 0], [0, 2], [-1, -1], [-1, -1], [-1, -1]],
    ]
)


def dense(of_edges, b, own=False):
    """Weights of edges as a matrix, targets by sources, and what they leave for a node itself."""
    matrix = np.zeros((4, 4))
    for (source, target), weight in zip(EDGES[b], of_edges[b], strict=True):
        if source >= 0:
            matrix[target, source] += weight
    return matrix + np.diag(1 - matrix.sum(axis=1)) if own else matrix


def test_graphs_are_followed_edge_by_edge():
    weights = [np.random.default_rng(i).uniform(0, 0.5, (2, 6)) for i in range(3)]
    rows = np.stack([np.eye(4)[2], [0.25] * 4])
    relevance = propagation.relate_through_edges(weights, EDGES, rows)
    own = propagation.roll_out_through_edges(weights, EDGES, rows, self_loops=True)
    none = propagation.roll_out_through_edges(weights, EDGES, rows, self_loops=False)
    for b in range(2):
        matrix = np.eye(4)
        for layer in weights:
            matrix = matrix + dense(layer, b) @ matrix
        np.testing.assert_allclose(relevance[b], rows[b] @ matrix, atol=1e-12)
        looped, plain = np.eye(4), np.eye(4)
        for layer in weights:
            looped, plain = dense(layer, b, own=True) @ looped, dense(layer, b) @ plain
        np.testing.assert_allclose(own[b], rows[b] @ looped, atol=1e-12)
        np.testing.assert_allclose(none[b], rows[b] @ plain, atol=1e-12)
