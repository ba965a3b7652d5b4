"""Models made of `keras_attention` layers, their data, recipes and results.

```python
import zoo

model = zoo.text_classifier(tokenizer=tokenizer, class_names=("bad", "good"))
```

A model is a function that returns a `keras.Model`, in the file of its name in `zoo.models`, beside
the sizes that it is known in. Some come along trained: `zoo.load("text_clinc")`, see `zoo.box`.
"""

from typing import TYPE_CHECKING, Any

from zoo import box, models
from zoo.box import load

if TYPE_CHECKING:  # so that editors and type checkers know the models, a line each
    from zoo.models.audio_transformer import audio_transformer as audio_transformer
    from zoo.models.captioner import captioner as captioner
    from zoo.models.deberta import deberta as deberta
    from zoo.models.encoder import encoder as encoder
    from zoo.models.ft_transformer import ft_transformer as ft_transformer
    from zoo.models.gat import gat as gat
    from zoo.models.generative_vqa import generative_vqa as generative_vqa
    from zoo.models.gpt import gpt as gpt
    from zoo.models.hierarchical_classifier import (
        hierarchical_classifier as hierarchical_classifier,
    )
    from zoo.models.iris import iris as iris
    from zoo.models.lstm_tagger import lstm_tagger as lstm_tagger
    from zoo.models.modern_bert import modern_bert as modern_bert
    from zoo.models.patch_tst import patch_tst as patch_tst
    from zoo.models.q_network import q_network as q_network
    from zoo.models.reader import reader as reader
    from zoo.models.seq2seq_rnn import seq2seq_rnn as seq2seq_rnn
    from zoo.models.text_classifier import text_classifier as text_classifier
    from zoo.models.transformer import transformer as transformer
    from zoo.models.transformer_tagger import transformer_tagger as transformer_tagger
    from zoo.models.vit import vit as vit
    from zoo.models.vqa import vqa as vqa

__all__ = ["box", "load", "models", *models.__all__]


def __getattr__(name: str) -> Any:
    """Returns the function of the model `name`, and imports its file when it is asked for."""
    if name in models.__all__:
        return getattr(getattr(models, name), name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
