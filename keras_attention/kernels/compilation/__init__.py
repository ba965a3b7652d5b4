"""Functions as the backend runs them fastest, and what is kept of them.

| `(function, variables)` | for a function that | torch | jax | tensorflow |
|---|---|---|---|---|
| `compile_with` | loops | eager | `jax.jit` | XLA |
| `trace_with` | runs once, where others loop | eager | `jax.jit` | a graph |
| `compile_forward` | takes arrays of many shapes | eager | `jax.jit` | one graph for all |
| `compile_inference` | may fail to compile | eager | `jax.jit`, else eager | eager |

They are for what learns nothing, and read the values of `variables` at each call. `compile` knows
no variables, and leaves gradients on.
"""

from keras_attention.kernels.backend import BACKEND

if BACKEND == "torch":
    from keras_attention.kernels.compilation.default import (
        check_below,
        jit_compile_for_training,
        round_length,
    )
    from keras_attention.kernels.compilation.torch import (
        compile,
        compile_forward,
        compile_gradient,
        compile_inference,
        compile_with,
        define_gradient,
        recompute,
        trace_with,
    )
elif BACKEND == "jax":
    from keras_attention.kernels.compilation.default import check_below, jit_compile_for_training
    from keras_attention.kernels.compilation.jax import (
        barrier,
        compile,
        compile_forward,
        compile_gradient,
        compile_inference,
        compile_with,
        define_gradient,
        recompute,
        round_length,
        trace_with,
    )
else:
    from keras_attention.kernels.compilation.default import round_length
    from keras_attention.kernels.compilation.tensorflow import (
        barrier,
        check_below,
        compile,
        compile_forward,
        compile_gradient,
        compile_inference,
        compile_with,
        define_gradient,
        jit_compile_for_training,
        recompute,
        trace_with,
    )
