"""Images drawn anew at other places, along one axis after the other."""

from keras import ops

from keras_attention.ops import masks
from keras_attention.types import Float, Tensor


def resample(
    images: Float[Tensor, "B height width C"],
    places: Float[Tensor, "B T"],
    axis: int,
    fill: str = "nearest",
    fill_value: float = 0.0,
) -> Float[Tensor, "B ... C"]:
    """Returns bilinear values of images at `places` along an axis: the shape with T in that axis.

    Zooms and shifts are such products with a small matrix along height and width. Backends that
    gather pixels for general transformations take many times as long.

    Args:
        images: any number of channels.
        places: positions in pixels, of which the first is 0.
        axis: 1 or 2.
        fill: what is beyond the edges: `"nearest"`, `"reflect"` (the edge twice), `"wrap"` or
            `"constant"`.
        fill_value: the constant.
    """
    size = ops.shape(images)[axis]
    length = ops.cast(size, images.dtype)
    if fill == "reflect":
        places = ops.mod(places + 0.5, 2 * length)
        places = ops.minimum(places, 2 * length - places) - 0.5
    if fill in ("nearest", "reflect"):
        places = ops.clip(places, 0, length - 1)
    distance = ops.abs(places[:, :, None] - ops.cast(masks.positions(size), images.dtype))
    if fill == "wrap":
        distance = ops.mod(distance, length)
        distance = ops.minimum(distance, length - distance)
    weights = ops.relu(1 - distance)  # (B, T, size)
    product = "bts,bswc->btwc" if axis == 1 else "bts,bhsc->bhtc"
    resampled = ops.einsum(product, weights, images)
    if fill != "constant" or not fill_value:
        return resampled
    missing = 1 - ops.sum(weights, axis=-1)  # (B, T)
    missing = missing[:, :, None, None] if axis == 1 else missing[:, None, :, None]
    return resampled + fill_value * missing
