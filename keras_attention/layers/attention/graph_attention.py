"""Graph attention, GAT and GATv2."""

from functools import partial
from typing import Any

import keras
from keras import ops

from keras_attention import scope
from keras_attention.layers.attention import graph_scores
from keras_attention.layers.attention.dense_graph import DenseGraph
from keras_attention.layers.attention.sparse_graph import SparseGraph
from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.layers.weights import add_kernel, add_projection
from keras_attention.ops import attention, checks, masks
from keras_attention.ops.initializers import fresh
from keras_attention.ops.precision import weights_dtype


@keras.saving.register_keras_serializable(package="keras_attention")
class GraphAttention(Entrance, Composite):
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
    kernel_names = ("source_kernel", "target_kernel", "edge_kernel")

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
        is_gat, regularizer = self.variant == "gat", self.kernel_regularizer
        add = partial(add_kernel, self, regularizer=regularizer)
        project = partial(
            add_projection,
            self,
            input_dim=features_shape[-1],
            output_dim=width,
            use_bias=self.use_bias and not is_gat,
            regularizer=regularizer,
        )
        self.source_kernel, self.source_bias = project("source")
        self.target_kernel, self.target_bias = self.source_kernel, self.source_bias
        if not (is_gat or self.share_weights):
            self.target_kernel, self.target_bias = project("target")
        self.attention_source = add("attention_source", heads)
        self.attention_target = add("attention_target", heads) if is_gat else self.attention_source
        self.edge_kernel = self.attention_edge = None
        if edge_features_shape is not None:
            checks.known("edge_features", edge_features_shape)
            self.edge_kernel = add("edge_kernel", (edge_features_shape[-1], width))
            self.attention_edge = add("attention_edge", heads) if is_gat else None
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(width if self.concat else self.head_dim,),
                initializer=fresh(self.bias_initializer),
            )
        self.built = True

    @property
    def _score(self) -> graph_scores.Score:
        if self.variant == "gat":
            return graph_scores.GAT(
                kernel=self.source_kernel,
                source=self.attention_source,
                target=self.attention_target,
                edge_kernel=self.edge_kernel,
                edge=self.attention_edge,
                negative_slope=self.negative_slope,
            )
        return graph_scores.GATv2(
            source=self.source_kernel,
            source_bias=self.source_bias,
            target=self.target_kernel,
            target_bias=self.target_bias,
            vector=self.attention_source,
            edge_kernel=self.edge_kernel,
            negative_slope=self.negative_slope,
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
        x = attention.apply_dropout(x, self.input_dropout, seed)
        graph: SparseGraph | DenseGraph
        if edges is None:
            graph = DenseGraph(adjacency, features_mask, self_loops=self.self_loops)
        else:
            graph = SparseGraph(
                edges,
                edge_features,
                ops.shape(features)[1],
                features_mask,
                self_loops=self.self_loops,
            )
        return_weights = return_attention_scores or scope.capturing(self)
        output, weights, visible = graph.attend(
            self._score,
            x,
            drop=lambda weights: attention.apply_dropout(weights, self.dropout, seed),
            nudge=scope.nudge(self),
            return_weights=return_weights,
        )
        output = self._join_heads(output)
        if self.bias is not None:
            output = output + self.bias
        output = graph.spoil(masks.zero_masked(output, visible))
        if return_weights:
            scope.record(self, weights)
        return (output, weights) if return_attention_scores else output

    def _join_heads(self, x: Any) -> Any:
        """Concatenates heads `(B, N, heads, H)` (equation 5), or averages them (equation 6)."""
        if not self.concat:
            return ops.mean(x, axis=2)
        batch, nodes = ops.shape(x)[:2]
        return ops.reshape(x, (batch, nodes, self.num_heads * self.head_dim))

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
