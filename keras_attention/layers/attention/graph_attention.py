"""Graph attention, GAT and GATv2."""

from typing import Any

import keras
from keras import ops

from keras_attention import kernels, scope
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import additive, attention, checks, graph, masks
from keras_attention.ops.initializers import fresh
from keras_attention.ops.precision import at_least_float32, weights_dtype


@keras.saving.register_keras_serializable(package="keras_attention")
class GraphAttention(Entrance, keras.layers.Layer):
    """Graph attention: every node attends to its neighbours.

    GAT of Velickovic et al., 2018 (https://arxiv.org/abs/1710.10903, equations 1 to 6), or
    GATv2 of Brody et al., 2022 (https://arxiv.org/abs/2105.14491, equation 7), which applies
    the attention vector after the nonlinearity and so can rank neighbours differently for
    different nodes. Memory grows with the number of edges; only a dense adjacency costs N x N.
    A node without neighbours yields exact zeros.

    Args:
        head_dim: output size of each head.
        num_heads: number of heads.
        variant: `"gat"` or `"gatv2"`.
        concat: concatenate the heads (equation 5), or average them (equation 6).
        self_loops: every node attends to itself too, once, whether or not the edges say so. A
            loop's edge features are the mean of those of the node's other incoming edges.
        negative_slope: of the LeakyReLU.
        share_weights: GATv2 with one kernel for sources and targets.
        dropout: share of the attention weights that training drops.
        input_dropout: share of the features that training drops before the projection.
        use_bias: whether to add a bias to the output (and to GATv2's projections).
        kernel_initializer, bias_initializer: of the weights.
        kernel_regularizer: of the projections and the attention vectors.
        seed: of the dropout.

    Call arguments:
        features: `(B, N, F)`.
        edges: `(B, E, 2)` integers, (source, target): the target attends to the source. Padded
            by -1 where a graph has fewer edges.
        adjacency: `(B, N, N)` instead of `edges`: not zero at `[i, j]` if node i attends to j.
        edge_features: `(B, E, F_e)`, with `edges`.
        features_mask: `(B, N)` boolean; a masked node has no edges.
        training: whether to apply dropout.
        return_attention_scores: return the weights as well.

    Output:
        `(B, N, num_heads * head_dim)`, or `(B, N, head_dim)` if `concat=False`; and, if
        `return_attention_scores=True`, weights before dropout: `(B, num_heads, E)` in the order
        of `edges`, zero for padding (what is missing to 1 is the weight of the node itself), or
        `(B, num_heads, N, N)` with `adjacency`.

    Raises:
        ValueError: neither or both of `edges` and `adjacency`, or an edge to a node that does
            not exist. Inside a compiled function, where values cannot be looked at, the whole
            output of such a graph is NaN.
    """

    takes = tensors(
        features="(B, N, F)",
        edges="any numbers (B, E, 2)",
        adjacency="any numbers (B, N, N)",
        edge_features="(B, E, F_e)",
    )
    built_for = ("F", "F_e")
    reads = "itself"

    def __init__(
        self,
        head_dim: int,
        num_heads: int = 1,
        variant: str = "gatv2",
        concat: bool = True,
        self_loops: bool = True,
        negative_slope: float = 0.2,
        share_weights: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(head_dim=head_dim, num_heads=num_heads)
        checks.one_of("variant", variant, ("gat", "gatv2"))
        checks.rate(dropout=dropout)
        checks.rate(input_dropout=input_dropout)
        if share_weights and variant == "gat":
            raise ValueError(
                "`share_weights` belongs to variant='gatv2'; GAT has one kernel as it is. "
                f"Received: share_weights={share_weights}, variant={variant!r}"
            )
        self.head_dim = head_dim
        self.num_heads = num_heads
        self.variant = variant
        self.concat = concat
        self.self_loops = self_loops
        self.negative_slope = negative_slope
        self.share_weights = share_weights
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.seed = seed
        self.seed_generator = None
        if dropout or input_dropout:
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(
        self,
        features_shape: tuple,
        edges_shape: tuple | None = None,
        adjacency_shape: tuple | None = None,
        edge_features_shape: tuple | None = None,
    ) -> None:
        checks.rank("features", features_shape, "(B, N, F)")
        checks.known("features", features_shape)
        heads, width = (self.num_heads, self.head_dim), self.num_heads * self.head_dim
        own_target = self.variant == "gatv2" and not self.share_weights
        bias = self.variant == "gatv2"
        self.source_kernel, self.source_bias = self._add_projection(
            "source", features_shape[-1], width, bias
        )
        self.target_kernel, self.target_bias = self.source_kernel, self.source_bias
        if own_target:
            self.target_kernel, self.target_bias = self._add_projection(
                "target", features_shape[-1], width, bias
            )
        self.attention_source = self._add("attention_source", heads)
        self.attention_target = self.attention_source
        if self.variant == "gat":
            self.attention_target = self._add("attention_target", heads)
        self.edge_kernel = None
        if edge_features_shape is not None:
            checks.known("edge_features", edge_features_shape)
            self.edge_kernel = self._add("edge_kernel", (edge_features_shape[-1], width))
            if self.variant == "gat":
                self.attention_edge = self._add("attention_edge", heads)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(width if self.concat else self.head_dim,),
                initializer=fresh(self.bias_initializer),
            )
        self.built = True

    def _add(self, name: str, shape: tuple) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=fresh(self.kernel_initializer),
            regularizer=self.kernel_regularizer,
        )

    def _add_projection(self, name: str, inputs: int, outputs: int, bias: bool) -> tuple[Any, Any]:
        kernel = self._add(f"{name}_kernel", (inputs, outputs))
        if not (bias and self.use_bias):
            return kernel, None
        return kernel, self.add_weight(
            name=f"{name}_bias", shape=(outputs,), initializer=fresh(self.bias_initializer)
        )

    def call(
        self,
        features: Any,
        edges: Any = None,
        adjacency: Any = None,
        edge_features: Any = None,
        features_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(features, edges, adjacency, edge_features, features_mask)
        if features.shape[0] == 0:  # nothing has no largest logit
            spec = self.compute_output_spec(
                features,
                edges,
                adjacency,
                edge_features,
                return_attention_scores=return_attention_scores,
            )
            return keras.tree.map_structure(lambda x: ops.zeros(x.shape, x.dtype), spec)
        seed = self.seed_generator if training else None
        x = masks.zero_masked(features, features_mask)
        x = attention.dropped(x, self.input_dropout, seed)
        with_weights = return_attention_scores or scope.capturing(self)
        outside = None
        if edges is None:
            output, weights, visible = self._dense(x, adjacency, features_mask, seed)
        else:
            found, outside = graph.flatten_edges(edges, ops.shape(features)[1], features_mask)
            if kernels.is_concrete(outside) and ops.convert_to_numpy(outside).any():
                self._raise_outside(edges, features.shape[1])
            output, weights, visible = self._sparse(
                x, found, edge_features, features_mask, seed, with_weights
            )
        if self.concat:
            batch, nodes = ops.shape(output)[:2]
            output = ops.reshape(output, (batch, nodes, self.num_heads * self.head_dim))
        else:
            output = ops.mean(output, axis=2)
        if self.bias is not None:
            output = output + self.bias
        output = masks.zero_masked(output, visible)
        if outside is not None and not kernels.is_concrete(outside):
            bad = ops.where(outside, ops.cast(float("nan"), output.dtype), 0.0)
            output = output + bad[:, None, None]
        if with_weights:
            scope.record(self, weights)
        return (output, weights) if return_attention_scores else output

    def _projections(self, x: Any) -> tuple[Any, Any]:
        """Of nodes as sources and as targets of edges: `(..., N, heads, H)`."""
        source = self._heads(x, self.source_kernel, self.source_bias)
        if self.target_kernel is self.source_kernel:
            return source, source
        return source, self._heads(x, self.target_kernel, self.target_bias)

    def _heads(self, x: Any, kernel: Any, bias: Any = None) -> Any:
        y = ops.matmul(x, kernel)
        y = y if bias is None else y + bias
        return ops.reshape(y, (*ops.shape(x)[:-1], self.num_heads, self.head_dim))

    def _sparse(
        self, x: Any, edges: graph.Edges, edge_features: Any, mask: Any, seed: Any, weigh: bool
    ) -> tuple[Any, Any, Any]:
        """Attention over M edges of one graph of all B x N nodes; every loop once, beside them."""
        batch, nodes, width = ops.shape(x)
        total = batch * nodes
        x = ops.reshape(x, (total, width))
        if edge_features is not None:
            edge_features = ops.reshape(edge_features, (-1, edge_features.shape[-1]))
            edge_features = masks.zero_masked(edge_features, edges.real)
        loops = None
        if self.self_loops:
            loops = ops.logical_and(edges.real, edges.source == edges.target)
            edges = edges._replace(real=ops.logical_and(edges.real, ops.logical_not(loops)))
        terms = self._gat_terms if self.variant == "gat" else self._gatv2_terms
        values, logits, own_logits, top = terms(x, edges, edge_features)

        def drop(weights: Any) -> Any:
            return attention.dropped(weights, self.dropout, seed)

        output, weights = graph.attend(values, logits, own_logits, top, edges, drop)
        nudge = scope.nudge(self)  # (B, heads, E)
        if nudge is not None:
            nudge = ops.reshape(ops.transpose(nudge, (0, 2, 1)), (-1, self.num_heads))
            real = edges.real if loops is None else ops.logical_or(edges.real, loops)
            nudge = ops.where(real[:, None], nudge, 0.0)
            output = output + kernels.weighted_segment_sum(
                values, ops.cast(nudge, values.dtype), edges.source, edges.target, total
            )
        output = ops.reshape(output, (batch, nodes, self.num_heads, self.head_dim))
        visible = mask
        if not self.self_loops:
            visible = ops.reshape(weights.total[:, 0] != 0, (batch, nodes))
        if not weigh:
            return output, None, visible
        of_edges = graph.normalise(weights, edges, loops)
        of_edges = ops.reshape(of_edges, (batch, -1, self.num_heads))
        return output, ops.transpose(of_edges, (0, 2, 1)), visible

    def _gat_terms(self, x: Any, edges: graph.Edges, edge_features: Any) -> tuple:
        """Values `(B x N, heads, H)`, logits `(M, heads)`, those of loops, `highest_logit`."""
        # a . W x = (W a) . x: two numbers per node and head are all that edges read.
        both = self._at_heads(x, self.source_kernel, self.attention_source, self.attention_target)
        source, target = ops.split(both, 2, axis=-1)  # (B x N, heads)
        lowest, highest = ops.amin(source, axis=0), ops.amax(source, axis=0)
        logits = kernels.take_rows(source, edges.source) + kernels.take_rows(target, edges.target)
        own = source + target
        if edge_features is not None and edge_features.shape[0] != 0:
            edge = self._at_heads(edge_features, self.edge_kernel, self.attention_edge)
            lowest = lowest + ops.minimum(ops.amin(edge, axis=0), 0.0)  # 0: loops of lone nodes
            highest = highest + ops.maximum(ops.amax(edge, axis=0), 0.0)
            logits = logits + edge
            own = own + graph.mean_by_target(edge, edges, ops.shape(x)[0])
        logits = ops.where(edges.real[:, None], self._leaky(logits), graph.LOWEST)
        own = self._leaky(own) if self.self_loops else None
        if 0 <= self.negative_slope <= 1:
            top = graph.highest_logit_or_bound(
                logits, own, self._leaky, target, lowest, highest, edges
            )
        else:
            top = graph.highest_logit(logits, own, edges, ops.shape(x)[0])
        return self._heads(x, self.source_kernel), logits, own, top

    def _gatv2_terms(self, x: Any, edges: graph.Edges, edge_features: Any) -> tuple:
        """As `_gat_terms`; the nonlinearity stands before the attention vector."""
        source, target = self._projections(x)  # (B x N, heads, H)
        hidden = kernels.take_rows(source, edges.source) + kernels.take_rows(target, edges.target)
        own = source + target
        if edge_features is not None:
            hidden = hidden + self._heads(edge_features, self.edge_kernel)
            means = graph.mean_by_target(edge_features, edges, ops.shape(x)[0])
            own = own + self._heads(means, self.edge_kernel)
        logits = self._score(hidden)
        logits = ops.where(edges.real[:, None], logits, graph.LOWEST)
        own = self._score(own) if self.self_loops else None
        return source, logits, own, graph.highest_logit(logits, own, edges, ops.shape(x)[0])

    def _at_heads(self, x: Any, kernel: Any, *vectors: Any) -> Any:
        """`vector . kernel x` by vector and head: `(..., vectors * heads)`."""
        kernel = ops.reshape(kernel, (-1, self.num_heads, self.head_dim))
        folded = [ops.sum(kernel * vector, axis=-1) for vector in vectors]
        return at_least_float32(ops.matmul(x, ops.concatenate(folded, axis=-1)))

    def _score(self, hidden: Any) -> Any:
        """Equation 7 of GATv2 before its softmax: `(..., heads)`."""
        return at_least_float32(ops.sum(self._leaky(hidden) * self.attention_source, axis=-1))

    def _leaky(self, x: Any) -> Any:
        return ops.leaky_relu(x, self.negative_slope)

    def _dense(self, x: Any, adjacency: Any, mask: Any, seed: Any) -> tuple[Any, Any, Any]:
        """Attention under a dense `(B, N, N)` adjacency."""
        source, target = self._projections(x)  # (B, N, heads, H)
        nodes = ops.shape(source)[1]
        sees = ops.not_equal(adjacency, ops.zeros((), adjacency.dtype))
        if self.self_loops:
            steps = masks.positions(nodes)
            sees = ops.logical_or(sees, (steps[:, None] == steps[None])[None])
        sees = masks.combine(query_mask=mask, key_mask=mask, attention_mask=sees)  # (B, 1, N, N)
        source = ops.transpose(source, (0, 2, 1, 3))  # (B, heads, N, H)
        target = ops.transpose(target, (0, 2, 1, 3))
        if self.variant == "gat":
            at_source = ops.sum(source * self.attention_source[:, None], -1)  # (B, heads, N)
            at_target = ops.sum(target * self.attention_target[:, None], -1)
            logits = at_target[..., :, None] + at_source[..., None, :]
            logits = self._leaky(logits)
        else:
            logits = additive.scores(target, source, self.attention_source, self._leaky)
        weights = attention.masked_softmax(logits, sees)  # (B, heads, N, N)
        nudge = scope.nudge(self)
        used = weights if nudge is None else weights + nudge
        used = attention.dropped(used, self.dropout, seed)
        output = ops.transpose(attention.weighted_sum(used, source), (0, 2, 1, 3))
        return output, weights, masks.visible_queries(sees)

    @staticmethod
    def _raise_outside(edges: Any, nodes: int) -> None:
        pairs = ops.convert_to_numpy(edges).reshape(-1, 2)
        bad = pairs[((pairs < 0) | (pairs >= nodes)).any(-1) & (pairs != -1).any(-1)]
        raise ValueError(
            f"`edges` must be between nodes 0 and {nodes - 1}, or (-1, -1) for padding. "
            f"Received: {len(bad)} others, the first {tuple(bad[0].tolist())}, for {nodes} nodes"
        )

    def _check(
        self, features: Any, edges: Any, adjacency: Any, edge_features: Any, mask: Any
    ) -> None:
        checks.sequence_mask("features_mask", mask, "features", features.shape)
        if (edges is None) == (adjacency is None):
            raise ValueError(
                "Pass either `edges` (B, E, 2) or `adjacency` (B, N, N). Received: "
                f"{'neither' if edges is None else 'both'}"
            )
        if adjacency is not None:
            if edge_features is not None:
                raise ValueError("`edge_features` go with `edges`. Received: `adjacency`")
            return
        if not keras.backend.is_int_dtype(edges.dtype):
            raise ValueError(
                "`edges` must be integers, (source, target) of each edge. Received: edges of "
                f"dtype {keras.backend.standardize_dtype(edges.dtype)}"
            )
        if self.built and (edge_features is None) != (self.edge_kernel is None):
            raise ValueError(
                "`edge_features` must be passed in every call or in none: the layer was built "
                f"{'without' if self.edge_kernel is None else 'with'} them. Received: "
                f"{'none' if edge_features is None else f'shape {tuple(edge_features.shape)}'}"
            )

    def compute_mask(self, features: Any, previous_mask: Any) -> Any:
        return previous_mask

    def compute_output_shape(
        self,
        features_shape: tuple,
        edges_shape: tuple | None = None,
        adjacency_shape: tuple | None = None,
        edge_features_shape: tuple | None = None,
    ) -> tuple:
        width = self.num_heads * self.head_dim if self.concat else self.head_dim
        return (*features_shape[:2], width)

    def compute_output_spec(
        self,
        features: Any,
        edges: Any = None,
        adjacency: Any = None,
        edge_features: Any = None,
        features_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        self._check(features, edges, adjacency, edge_features, features_mask)
        output = keras.KerasTensor(
            self.compute_output_shape(features.shape), dtype=self.compute_dtype
        )
        if not return_attention_scores:
            return output
        batch, nodes, _ = features.shape
        keys = (nodes, nodes) if edges is None else (edges.shape[1],)
        return output, keras.KerasTensor(
            (batch, self.num_heads, *keys), dtype=weights_dtype(self.compute_dtype)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_heads": self.num_heads,
            "variant": self.variant,
            "concat": self.concat,
            "self_loops": self.self_loops,
            "negative_slope": self.negative_slope,
            "share_weights": self.share_weights,
            "dropout": self.dropout,
            "input_dropout": self.input_dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "seed": self.seed,
        }
