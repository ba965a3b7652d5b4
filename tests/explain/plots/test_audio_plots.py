import numpy as np
import pytest

from keras_attention.explain import plots

pytestmark = pytest.mark.runs_on("torch")

SPECTROGRAMS = np.random.default_rng(0).normal(size=(2, 16, 8, 1))
MAPS = {"pooling": np.random.default_rng(1).random((2, 4, 2))}


def test_a_column_per_recording_and_a_row_per_map():
    figure = plots.spectrogram_attention(
        SPECTROGRAMS, MAPS, ["zero", "one"], frames=[16, 12], seconds=0.01, title="Digits"
    )
    above, below = figure.axes[0], figure.axes[3]
    assert len(figure.axes) == 5  # with the scale
    assert above.get_title() == "zero"
    np.testing.assert_allclose(above.images[0].get_array(), SPECTROGRAMS[0, ..., 0].T, rtol=1e-6)
    np.testing.assert_allclose(below.images[1].get_array(), MAPS["pooling"][1].T)
    assert below.get_xlim() == (0, 0.12)
    assert (above.get_ylabel(), figure.axes[2].get_ylabel()) == ("spectrogram", "pooling")


@pytest.mark.parametrize(
    "wrong", [{"titles": ["zero"]}, {"frames": [3]}, {"maps": {"a": MAPS["pooling"][:1]}}]
)
def test_what_does_not_fit_is_named(wrong):
    with pytest.raises(ValueError, match="one entry for each of the 2 recordings"):
        plots.spectrogram_attention(SPECTROGRAMS, **{"maps": MAPS, **wrong})
