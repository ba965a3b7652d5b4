"""What attention is lowered to for GPUs, on a machine without one."""

from functools import partial

import numpy as np
import pytest
from keras import ops

from keras_attention import kernels
from keras_attention.ops.attention import dot_product_attention
from tests.backend import BACKEND

B, N, K, T, H = 2, 4, 2, 128, 64
PADDING = np.arange(T) < np.array([[100], [128]])
MASKS = {
    "none": {},
    "causal": {"causal": True},
    "padding": {"mask": PADDING[:, None, None]},
    "padding, causal": {"mask": PADDING[:, None, None], "causal": True},
    "any": {"mask": np.tri(T, dtype=bool)[None, None]},
    "wide window": {"window": 100, "causal": True},
    "narrow window": {"window": 16, "causal": True},
    "window, padding": {"window": 100, "causal": True, "mask": PADDING[:, None, None]},
    "bias": {"bias": np.zeros((1, N, T, T), "float32")},
    "bias, padding, causal": {
        "bias": np.zeros((1, N, 1, T), "float32"), "mask": PADDING[:, None, None], "causal": True,
    },
}  # fmt: skip
PLAIN, WITH_BIAS = "__cudnn$fmhaSoftmax", "__cudnn$fmhaScaleBiasSoftmax"


@pytest.fixture
def gpu(monkeypatch):
    """A GPU that the table sees; on JAX with cuDNN."""
    monkeypatch.setattr("keras_attention.kernels.attention.branches.on_cpu", lambda tensor: False)
    if BACKEND == "jax":
        from jax._src.cudnn import fused_attention_stablehlo

        from keras_attention.kernels.attention import jax as kernel

        version = type("Versions", (), {"cudnn_get_version": staticmethod(lambda: 91000)})
        monkeypatch.setattr(fused_attention_stablehlo, "cuda_versions", version)
        monkeypatch.setattr(kernel, "_AMPERE", (0, 0))
        kernel._cudnn_takes.cache_clear()
        yield
        kernel._cudnn_takes.cache_clear()
    else:
        yield


def lowered(function, shapes, dtype):
    """The program for CUDA, as text: forward, and forward and backward."""
    import jax
    import jax.numpy as jnp

    tensors = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]

    def loss(*tensors):
        return jnp.sum(function(*tensors).astype("float32"))

    for each in (function, jax.grad(loss, (0, 1, 2))):
        yield jax.jit(each).trace(*tensors).lower(lowering_platforms=("cuda",)).as_text()


def calls(text):
    names = (f"{name}{way}" for name in (PLAIN, WITH_BIAS) for way in ("", "Backward"))
    return [name for name in names if f"@{name}(" in text]


@pytest.mark.only_on("jax")
@pytest.mark.parametrize("name", MASKS)
def test_cudnn_forward_and_backward(name, gpu):
    """And no product of matrices of its own, T x S or other."""
    attend = partial(dot_product_attention, **MASKS[name])
    forward, both = lowered(attend, [(B, N, T, H), (B, K, T, H), (B, K, T, H)], "bfloat16")
    names = {
        "none": [PLAIN], "causal": [PLAIN], "wide window": [PLAIN], "narrow window": [PLAIN],
        "padding": [PLAIN, WITH_BIAS],
        "padding, causal": [PLAIN, WITH_BIAS],
    }.get(name, [WITH_BIAS])  # fmt: skip
    assert calls(forward) == names
    assert calls(both) == [f"{name}{way}" for name in names for way in ("", "Backward")]
    for text in (forward, both):
        assert "dot_general" not in text
        assert ("CAUSAL" in text) == ("causal" in name or (names == [PLAIN] and "window" in name))
        window = MASKS[name].get("window", 0) if names == [PLAIN] else 0
        assert f'"sliding_window_length": {window}' in text.replace("\\22", '"')


@pytest.mark.only_on("jax")
def test_what_cudnn_does_not_take(gpu):
    """Other types and sizes, and a function that a CPU runs after all."""
    import jax

    forward, both = lowered(dot_product_attention, [(B, N, T, H)] * 3, "float32")
    assert not calls(forward + both)
    forward, both = lowered(dot_product_attention, [(B, N, T, 12)] * 3, "bfloat16")
    assert not calls(forward + both)
    forward, both = lowered(dot_product_attention, [(1, 1, 2048, 8)] * 3, "float32")
    assert "2048x2048" not in forward + both, "blocks of queries"
    x = np.random.default_rng(0).normal(size=(B, N, T, H)).astype("float32")
    query = ops.cast(x, "bfloat16")
    on_cpu = jax.jit(partial(dot_product_attention, mask=PADDING[:, None, None]))(
        query, query, query
    )
    with kernels.forced("explicit"):
        explicit = dot_product_attention(query, query, query, mask=PADDING[:, None, None])
    np.testing.assert_allclose(
        ops.cast(on_cpu, "float32"), ops.cast(explicit, "float32"), atol=2e-2
    )
    attend = partial(dot_product_attention, causal=True, window=5)
    on_cpu = jax.jit(attend)(query, query, query)
    with kernels.forced("explicit"):
        explicit = attend(query, query, query)
    np.testing.assert_allclose(
        ops.cast(on_cpu, "float32"), ops.cast(explicit, "float32"), atol=2e-2
    )


@pytest.mark.only_on("tensorflow")
def test_blocks_of_queries_under_xla(gpu):
    """Neither forward nor backward there is a tensor of T x S."""
    import tensorflow as tf

    x = tf.zeros((1, 1, 2048, 8))

    @tf.function(jit_compile=True, autograph=False)
    def gradients(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            total = tf.reduce_sum(dot_product_attention(*tensors, causal=True) ** 2)
        return tape.gradient(total, tensors)

    program = gradients.experimental_get_compiler_ir(x, x, x)(stage="hlo")
    assert "[1,1,256,2048]" in program
    assert "2048,2048" not in program


def test_the_table_for_gpus(gpu):
    table = {
        "torch": {("float32", 4096, None, 0.1): "fused", ("float32", 4096, 64, 0.0): "rows"},
        "jax": {
            ("bfloat16", 64, None, 0.0): "fused",
            ("bfloat16", 4096, 64, 0.0): "rows",  # not alone
            ("bfloat16", 512, None, 0.1): "explicit",
            ("float32", 1023, None, 0.0): "explicit",
            ("float32", 1024, None, 0.0): "rows",
        },
        "tensorflow": {
            ("bfloat16", 1023, None, 0.0): "explicit",
            ("bfloat16", 1024, None, 0.1): "rows",
            ("float32", 512, 64, 0.0): "rows",
        },
    }
    for (dtype, length, window, dropout), branch in table[BACKEND].items():
        x = ops.zeros((1, 1, length, 1), dtype)
        assert kernels.attention_branch(x, x, window=window, dropout=dropout) == branch
    if BACKEND == "jax":
        x = ops.zeros((1, 1, 4096, 1), "bfloat16")
        windowed = kernels.attention_branch(x, x, window=64, dropout=0.0, alone=True)
        assert windowed == "fused", "cuDNN has a causal window of its own"
