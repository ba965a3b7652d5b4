"""Labels of words at pieces, and back."""

import numpy as np
import pytest

from keras_attention.training import gather_words, spread_to_pieces

pytestmark = pytest.mark.runs_on("torch")

# [CLS] un ##likely names [SEP]; [CLS] a [SEP] and padding; the third word of the first is cut off.
FIRST = np.array([[-1, 0, -1, 1, -1], [-1, 0, -1, -1, -1]])
TAGS = np.array([[4, 2, 3], [1, 0, 0]])


def test_labels_stand_at_first_pieces():
    expected = np.array([[0, 4, 0, 2, 0], [0, 1, 0, 0, 0]])
    np.testing.assert_array_equal(spread_to_pieces(TAGS, FIRST), expected)


def test_words_get_what_is_said_of_their_first_pieces():
    outputs = np.arange(20.0).reshape(2, 5, 2)
    words = gather_words(outputs, FIRST, 3)
    np.testing.assert_array_equal(words[0], [[2, 3], [6, 7], [0, 0]])
    np.testing.assert_array_equal(words[1], [[12, 13], [0, 0], [0, 0]])


@pytest.mark.parametrize("tags", [TAGS[:, :1], TAGS[:1], TAGS[0]])
def test_each_word_has_a_label(tags):
    with pytest.raises(ValueError, match="`of_words` must"):
        spread_to_pieces(tags, FIRST)
