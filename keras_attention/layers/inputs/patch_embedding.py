"""Images and spectrograms to sequences of patches."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.composite import Composite
from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import checks, masks


@keras.saving.register_keras_serializable(package="keras_attention")
class PatchEmbedding(Entrance, Composite):
    """Cuts an image or spectrogram into patches and projects each to a vector.

    Dosovitskiy et al., 2021 (https://arxiv.org/abs/2010.11929), equation 1; overlapping patches
    by `stride` as in the audio transformer of Gong et al., 2021
    (https://arxiv.org/abs/2104.01778); a convolutional stem in place of the single projection
    as in Xiao et al., 2021 (https://arxiv.org/abs/2106.14881), or, with max pooling, in Hassani
    et al., 2021 (https://arxiv.org/abs/2104.05704). Height and width may be unknown when the
    model is built. What is left over at the bottom and right edge is not used.

    Args:
        hidden_dim: width D of the output.
        patch_size: side of a patch, or (height, width); not with `stem`.
        stride: step from patch to patch, or (vertical, horizontal); `patch_size` if `None`.
        stem: channels of 3 x 3 convolutions of stride 2, each with LayerNorm and GELU, before
            the projection of every pixel that is left, so that a patch is `2 ** len(stem)`
            pixels wide. (The paper has batch norm; this one computes the same in training.)
        stem_pooling: the stem's convolutions have stride 1 and are followed by 2 x 2 max pooling,
            which costs more and sees finer detail. The size of the patches stays.
        flatten: return a sequence; else the grid.
        data_format: `"channels_last"` or `"channels_first"` inputs; Keras's setting if `None`.

    Call arguments:
        inputs: `(B, height, width, C)`, or `(B, C, height, width)` if channels first. For
            spectrograms the height is time.
        mask: `(B, height)` boolean, for spectrograms padded in time; a patch is masked if all
            of its rows are.

    Output:
        `(B, patches, D)`, row by row, or `(B, rows, columns, D)` if `flatten=False`.

    Raises:
        ValueError: a patch larger than the image.
    """

    takes = tensors(inputs="(...)")
    cuts = "patches"

    def __init__(
        self,
        hidden_dim: int,
        patch_size: int | tuple[int, int] | None = None,
        stride: int | tuple[int, int] | None = None,
        stem: tuple[int, ...] | None = None,
        stem_pooling: bool = False,
        flatten: bool = True,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.positive_int(hidden_dim=hidden_dim)
        if (patch_size is None) == (stem is None) or (stem is not None and stride is not None):
            raise ValueError(
                "Pass either `patch_size`, with or without `stride`, or `stem`. Received: "
                f"patch_size={patch_size}, stride={stride}, stem={stem}"
            )
        if stem_pooling and stem is None:
            raise ValueError(
                "`stem_pooling=True` pools between the convolutions of a `stem`. Received: "
                "stem=None. Pass `stem`, or leave `stem_pooling` out."
            )
        self.hidden_dim = hidden_dim
        self.patch_size: Any = None if patch_size is None else _make_pair("patch_size", patch_size)
        self.stride: Any = self.patch_size if stride is None else _make_pair("stride", stride)
        self.stem = None if stem is None else tuple(stem)
        self.stem_pooling = stem_pooling
        self.flatten = flatten
        self.data_format = data_format or keras.config.image_data_format()
        checks.one_of("data_format", self.data_format, ("channels_last", "channels_first"))
        policy = {"dtype": self.dtype_policy, "data_format": "channels_last"}
        self._convolutions, self._norms = [], []
        for i, channels in enumerate(self.stem or ()):
            checks.positive_int(stem=channels)
            self._convolutions.append(
                keras.layers.Conv2D(
                    channels, 3, 1 if stem_pooling else 2, "same", name=f"stem_{i}", **policy
                )
            )
            self._norms.append(
                keras.layers.LayerNormalization(
                    epsilon=1e-5, name=f"stem_norm_{i}", dtype=self.dtype_policy
                )
            )
        self._projection = keras.layers.Conv2D(
            hidden_dim,
            self.patch_size or 1,
            self.stride or 1,
            name="projection",
            **policy,
        )
        self.supports_masking = True

    def build(self, inputs_shape: tuple) -> None:
        self._check(inputs_shape)
        shape = self._channels_last(inputs_shape)
        checks.known("inputs", shape)
        for convolution, norm in zip(self._convolutions, self._norms, strict=True):
            convolution.build(shape)
            shape = (None, None, None, convolution.filters)
            norm.build(shape)
        self._projection.build(shape)
        self.built = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        self._check(inputs.shape, mask)
        if inputs.shape[0] == 0:  # of which TensorFlow's convolution makes another shape
            return ops.zeros(self.compute_output_shape(inputs.shape), self.compute_dtype)
        x = inputs
        if self.data_format == "channels_first":
            x = ops.transpose(x, (0, 2, 3, 1))
        x = masks.zero_masked(x, mask)
        for convolution, norm in zip(self._convolutions, self._norms, strict=True):
            x = convolution(x)
            if self.stem_pooling:
                if mask is not None:  # padding is never the largest
                    x = ops.where(mask[:, :, None, None], x, -np.inf)
                x = ops.max_pool(x, 2, 2, "same", "channels_last")
            if mask is not None:  # padding stays what zero padding is to a shorter input
                mask = self._halve(mask)
                x = masks.zero_masked(x, mask)
            x = ops.gelu(norm(x), approximate=False)
            if mask is not None:
                x = masks.zero_masked(x, mask)
        x = self._projection(x)
        batch, rows, columns, _ = ops.shape(x)
        return ops.reshape(x, (batch, rows * columns, self.hidden_dim)) if self.flatten else x

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        if previous_mask is None or not self.flatten:
            return None
        mask = previous_mask
        for _ in self._convolutions:
            mask = self._halve(mask)
        if self.patch_size is not None:
            size, stride = self.patch_size[0], self.stride[0]
            mask = ops.cast(mask, "float32")[..., None]
            mask = ops.max_pool(mask, size, stride, "valid", "channels_last")[..., 0] > 0.5
        shape = self._channels_last(inputs.shape)
        columns = self.grid(shape)[1]
        if columns is None:
            columns = self.grid(self._channels_last(ops.shape(inputs)))[1]
        return ops.repeat(mask, columns, axis=1)  # row by row

    @staticmethod
    def _halve(mask: Any) -> Any:
        """Returns the mask behind a step of stride 2: a row is valid if one of its two is."""
        mask = ops.cast(mask, "float32")[..., None]
        return ops.max_pool(mask, 2, 2, "same", "channels_last")[..., 0] > 0.5

    @property
    def steps(self) -> tuple[int, int]:
        """From one patch to the next, down and to the right."""
        return self.stride if self.stem is None else (2 ** len(self.stem),) * 2

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of a patch."""
        return self.patch_size or self.steps

    def grid(self, shape: tuple) -> tuple:
        """Returns rows and columns of patches of a channels-last shape; `None` where not known."""
        sizes = []
        for axis in (0, 1):
            size = shape[1 + axis]
            if size is not None and self.stem is not None:
                for _ in self.stem:
                    size = (size + 1) // 2
            elif size is not None:
                size = (size - self.patch_size[axis]) // self.stride[axis] + 1
            sizes.append(size)
        return tuple(sizes)

    def _channels_last(self, shape: tuple) -> tuple:
        if self.data_format == "channels_last":
            return tuple(shape)
        batch, channels, height, width = shape
        return (batch, height, width, channels)

    def _check(self, shape: tuple, mask: Any = None) -> None:
        first = self.data_format == "channels_first"
        checks.rank("inputs", shape, "(B, C, height, width)" if first else "(B, height, width, C)")
        shape = self._channels_last(shape)
        if self.built:
            kernel = [*self._convolutions, self._projection][0].kernel
            checks.built_for("inputs", shape, axis=-1, size=kernel.shape[2], what="channels")
        checks.sequence_mask("mask", mask, "inputs", shape)
        for name, size, patch in zip(
            ("height", "width"), shape[1:3], self.patch_size or (1, 1), strict=True
        ):
            if size is not None and size < patch:
                raise ValueError(
                    f"A patch must not be larger than the image. Received: {name}={size}, "
                    f"patch_size={self.patch_size}. Use smaller patches, or pad or resize first."
                )

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        self._check(inputs_shape)
        rows, columns = self.grid(self._channels_last(inputs_shape))
        if not self.flatten:
            return (inputs_shape[0], rows, columns, self.hidden_dim)
        patches = None if rows is None or columns is None else rows * columns
        return (inputs_shape[0], patches, self.hidden_dim)

    def compute_output_spec(self, inputs: Any, mask: Any = None) -> keras.KerasTensor:
        self._check(inputs.shape, mask)
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "patch_size": self.patch_size,
            "stride": self.stride if self.stem is None else None,
            "stem": self.stem,
            "stem_pooling": self.stem_pooling,
            "flatten": self.flatten,
            "data_format": self.data_format,
        }


def _make_pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2:
        raise ValueError(f"`{name}` must be one number or two. Received: {name}={value!r}")
    for size in pair:
        checks.positive_int(**{name: size})
    return pair
