"""Images drawn anew at other places, along one axis after the other."""

from keras import ops

from keras_attention.ops import masks


def resample(images, places, axis, fill="nearest", fill_value=0.0):
    """Bilinear values of images at `places` along an axis, as a product with a small matrix.

    Zooms and shifts are such products along height and width. Backends that gather pixels for
    general transformations take many times as long.

    Args:
        images: `(B, height, width, C)`.
        places: `(B, T)` positions in pixels, of which the first is 0.
        axis: 1 or 2.
        fill: what is beyond the edges: `"nearest"`, `"reflect"` (the edge twice), `"wrap"` or
            `"constant"`.
        fill_value: the constant.

    Returns:
        The shape of `images`, with T in the axis.
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
    found = ops.einsum(product, weights, images)
    if fill != "constant" or not fill_value:
        return found
    missing = 1 - ops.sum(weights, axis=-1)  # (B, T)
    missing = missing[:, :, None, None] if axis == 1 else missing[:, None, :, None]
    return found + fill_value * missing
