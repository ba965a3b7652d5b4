"""Graph attention, GAT and GATv2."""

from typing import Any

import keras
from keras import ops

from keras_attention import kernels, scope
from keras_attention.ops import additive, attention, checks, graph, masks
from keras_attention.ops.precision import weights_dtype


@keras.saving.register_keras_serializable(package="keras_attention")
class GraphAttention(keras.layers.Layer):
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
        use_bias: whether to add a bias to the output (and to GATv2's projections).
        kernel_initializer, bias_initializer: of the weights.
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
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(head_dim=head_dim, num_heads=num_heads)
        checks.one_of("variant", variant, ("gat", "gatv2"))
        checks.rate(dropout=dropout)
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
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
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
                initializer=self.bias_initializer,
            )
        self.built = True

    def _add(self, name: str, shape: tuple) -> Any:
        return self.add_weight(name=name, shape=shape, initializer=self.kernel_initializer)

    def _add_projection(self, name: str, inputs: int, outputs: int, bias: bool) -> tuple[Any, Any]:
        kernel = self._add(f"{name}_kernel", (inputs, outputs))
        if not (bias and self.use_bias):
            return kernel, None
        return kernel, self.add_weight(
            name=f"{name}_bias", shape=(outputs,), initializer=self.bias_initializer
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
        x = masks.zero_masked(features, features_mask)
        source = self._heads(x, self.source_kernel, self.source_bias)  # (B, N, heads, H)
        target = source
        if self.target_kernel is not self.source_kernel:
            target = self._heads(x, self.target_kernel, self.target_bias)
        seed = self.seed_generator if training else None
        if edges is None:
            output, weights, visible = self._dense(source, target, adjacency, features_mask, seed)
        else:
            output, weights, visible = self._sparse(
                source, target, edges, edge_features, features_mask, seed
            )
        if self.concat:
            batch, nodes = ops.shape(output)[:2]
            output = ops.reshape(output, (batch, nodes, self.num_heads * self.head_dim))
        else:
            output = ops.mean(output, axis=2)
        if self.bias is not None:
            output = output + self.bias
        output = masks.zero_masked(output, visible)
        if edges is not None:
            output = self._refuse_outside(output, edges, ops.shape(features)[1])
        scope.record(self, weights)
        return (output, weights) if return_attention_scores else output

    def _heads(self, x: Any, kernel: Any, bias: Any = None) -> Any:
        y = ops.matmul(x, kernel)
        y = y if bias is None else y + bias
        return ops.reshape(y, (*ops.shape(x)[:-1], self.num_heads, self.head_dim))

    def _sparse(
        self, source: Any, target: Any, edges: Any, edge_features: Any, mask: Any, seed: Any
    ) -> tuple[Any, Any, Any]:
        """Attention over edges: one graph of all B x N nodes, M edges and their loops."""
        batch, nodes, heads, size = ops.shape(source)
        total = batch * nodes
        num_edges = ops.shape(edges)[1]
        flat_source, flat_target = graph.flatten_edges(edges, nodes, mask)  # (M,)
        loops = ops.logical_and(flat_source == flat_target, flat_target < total)
        if edge_features is not None:
            edge_features = ops.reshape(edge_features, (batch * num_edges, edge_features.shape[-1]))
            real = (flat_target < total)[:, None]  # NaN in the padding stays there
            edge_features = ops.where(real, edge_features, 0.0)
        edge_target = flat_target
        if self.self_loops:
            edge_target = ops.where(loops, total, flat_target)  # one loop each, appended
            if edge_features is not None:
                means = self._mean_by_target(edge_features, edge_target, total)
                edge_features = ops.concatenate([edge_features, means], axis=0)
            everyone = ops.arange(total, dtype="int32")
            edge_source = ops.concatenate([flat_source, everyone], axis=0)
            edge_target = ops.concatenate([edge_target, everyone], axis=0)
        else:
            edge_source = flat_source

        source = ops.reshape(source, (total, heads, size))
        target = ops.reshape(target, (total, heads, size))
        at_target = ops.where(edge_target < total, edge_target, 0)
        logits = self._edge_logits(source, target, edge_source, at_target, edge_features)
        weights = graph.segment_softmax(logits, edge_target, total)  # (M, heads)
        used = ops.cast(attention.dropped(weights, self.dropout, seed), source.dtype)
        messages = ops.take(source, edge_source, axis=0) * used[..., None]  # (M, heads, H)
        output = kernels.segment_sum(messages, edge_target, total + 1)[:total]
        output = ops.reshape(output, (batch, nodes, heads, size))

        of_edges = weights[: batch * num_edges]
        if self.self_loops:  # a loop that was passed has the weight of the node's own
            own_weights = ops.take(weights[batch * num_edges :], flat_source, axis=0)
            of_edges = ops.where(loops[:, None], own_weights, of_edges)
        of_edges = ops.reshape(of_edges, (batch, num_edges, heads))
        of_edges = ops.transpose(of_edges, (0, 2, 1))  # (B, heads, E)
        if self.self_loops:
            return output, of_edges, mask
        ones = ops.ones_like(edge_target, dtype="float32")
        degree = kernels.segment_sum(ones, edge_target, total + 1)[:total]
        return output, of_edges, ops.reshape(degree > 0, (batch, nodes))

    def _edge_logits(
        self, source: Any, target: Any, edge_source: Any, edge_target: Any, edge_features: Any
    ) -> Any:
        """`(M, heads)`."""
        edge = None if edge_features is None else self._heads(edge_features, self.edge_kernel)
        if self.variant == "gat":
            logits = ops.take(ops.sum(source * self.attention_source, -1), edge_source, axis=0)
            logits = logits + ops.take(
                ops.sum(target * self.attention_target, -1), edge_target, axis=0
            )
            if edge is not None:
                logits = logits + ops.sum(edge * self.attention_edge, -1)
            return ops.leaky_relu(logits, self.negative_slope)
        hidden = ops.take(source, edge_source, axis=0) + ops.take(target, edge_target, axis=0)
        if edge is not None:
            hidden = hidden + edge
        hidden = ops.leaky_relu(hidden, self.negative_slope)
        return ops.sum(hidden * self.attention_source, -1)

    @staticmethod
    def _mean_by_target(edge_features: Any, target: Any, total: Any) -> Any:
        sums = kernels.segment_sum(edge_features, target, total + 1)[:total]
        ones = ops.ones((ops.shape(edge_features)[0], 1), edge_features.dtype)
        counts = kernels.segment_sum(ones, target, total + 1)[:total]
        return sums / ops.maximum(counts, 1)

    def _dense(
        self, source: Any, target: Any, adjacency: Any, mask: Any, seed: Any
    ) -> tuple[Any, Any, Any]:
        """Attention under a dense `(B, N, N)` adjacency."""
        nodes = ops.shape(source)[1]
        sees = ops.not_equal(adjacency, ops.zeros((), adjacency.dtype))
        if self.self_loops:
            sees = ops.logical_or(sees, ops.eye(nodes, dtype="bool")[None])
        sees = masks.combine(query_mask=mask, key_mask=mask, attention_mask=sees)  # (B, 1, N, N)
        source = ops.transpose(source, (0, 2, 1, 3))  # (B, heads, N, H)
        target = ops.transpose(target, (0, 2, 1, 3))
        if self.variant == "gat":
            at_source = ops.sum(source * self.attention_source[:, None], -1)  # (B, heads, N)
            at_target = ops.sum(target * self.attention_target[:, None], -1)
            logits = at_target[..., :, None] + at_source[..., None, :]
            logits = ops.leaky_relu(logits, self.negative_slope)
        else:
            logits = additive.scores(
                target,
                source,
                self.attention_source[:, None, None],
                activation=lambda x: ops.leaky_relu(x, self.negative_slope),
            )
        weights = attention.masked_softmax(logits, sees)  # (B, heads, N, N)
        used = attention.dropped(weights, self.dropout, seed)
        output = ops.transpose(attention.weighted_sum(used, source), (0, 2, 1, 3))
        return output, weights, masks.visible_queries(sees)

    def _refuse_outside(self, output: Any, edges: Any, num_nodes: Any) -> Any:
        outside = graph.edges_outside(edges, num_nodes)
        if not kernels.is_concrete(outside):
            return ops.where(outside[:, None, None], float("nan"), output)
        return output

    def _check(
        self, features: Any, edges: Any, adjacency: Any, edge_features: Any, mask: Any
    ) -> None:
        checks.rank("features", features.shape, "(B, N, F)")
        checks.sequence_mask("features_mask", mask, "features", features.shape)
        if (edges is None) == (adjacency is None):
            raise ValueError(
                "Pass either `edges` (B, E, 2) or `adjacency` (B, N, N). Received: "
                f"{'neither' if edges is None else 'both'}"
            )
        batch, nodes, _ = features.shape
        if adjacency is not None:
            checks.matches("adjacency", adjacency.shape, (batch, nodes, nodes), "(B, N, N)")
            if edge_features is not None:
                raise ValueError("`edge_features` go with `edges`. Received: `adjacency`")
            return
        checks.matches("edges", edges.shape, (batch, None, 2), "(B, E, 2)")
        if not keras.backend.is_int_dtype(edges.dtype):
            raise ValueError(
                "`edges` must be integers, (source, target) of each edge. Received: edges of "
                f"dtype {keras.backend.standardize_dtype(edges.dtype)}"
            )
        if edge_features is not None:
            expected = (batch, edges.shape[1], None)
            checks.matches("edge_features", edge_features.shape, expected, "(B, E, F)")
        if not isinstance(edges, keras.KerasTensor) and nodes is not None:
            outside = graph.edges_outside(edges, nodes)
            if kernels.is_concrete(outside) and ops.convert_to_numpy(outside).any():
                pairs = ops.convert_to_numpy(edges).reshape(-1, 2)
                bad = pairs[((pairs < 0) | (pairs >= nodes)).any(-1) & (pairs != -1).any(-1)]
                raise ValueError(
                    f"`edges` must be between nodes 0 and {nodes - 1}, or (-1, -1) for padding. "
                    f"Received: {len(bad)} others, the first {tuple(bad[0].tolist())}, "
                    f"for {nodes} nodes"
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
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "seed": self.seed,
        }
