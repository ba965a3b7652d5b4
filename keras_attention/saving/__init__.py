"""Files that one can trust: safe loading, portable resume, saves that survive a kill."""

from keras_attention.saving.digests import digest
from keras_attention.saving.errors import (
    DamagedFileError,
    FileError,
    NewerFileError,
    RefusedFileError,
)
from keras_attention.saving.limits import Limits
from keras_attention.saving.load import load_model
from keras_attention.saving.restore import restore
from keras_attention.saving.save import save_model
from keras_attention.saving.tensors import from_safetensors, to_safetensors

__all__ = [
    "DamagedFileError",
    "FileError",
    "Limits",
    "NewerFileError",
    "RefusedFileError",
    "digest",
    "from_safetensors",
    "load_model",
    "restore",
    "save_model",
    "to_safetensors",
]
