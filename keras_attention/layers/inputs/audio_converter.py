"""Sound files to waveforms with a mask: the first node of an audio model."""

import os
from math import gcd
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.layers.entrance import Entrance, tensors
from keras_attention.ops import batches, checks

_MOST_SAMPLES = 2**25
_HIGHEST_RATE = 1_000_000
_MOST_RATIO = 200_000
_FILTER = 10  # of scipy's resampling, samples of the lower rate to each side
_PIECE = 2**18  # numbers that are read at a time


@keras.saving.register_keras_serializable(package="keras_attention")
class AudioConverter(Entrance, keras.layers.Layer):
    """Reads recordings, outside the graph; inside it, tells sound from padding.

    Recordings of a batch differ in length, and silence is sound: what is padded is NaN, so that
    the array alone tells where a recording ends. The output has zeros there, and the mask.

    As the first node of a model it carries rate and limits in the `.keras` file, so that the file
    alone goes from a WAV to an answer (`ka.predict`).

    Args:
        sampling_rate: samples per second; files of other rates are resampled.
        max_length: samples that a recording may have; of a longer one the first are kept. `None`
            for no limit.
        multiple: batches have a length that is a multiple of it, so that what cuts them in
            pieces of that size cuts a recording alike, however much it is padded.

    Attributes:
        max_samples: of a sound file, before and after it is resampled, where `max_length` does not
            cut it off. It is not part of the configuration, so that no file raises it: set it
            where you trust your recordings.

    Call arguments:
        audio: `(B, T)`, NaN where padded.

    Output:
        `(B, T)` with the mask `(B, T)`.

    Raises:
        ImportError: soundfile or scipy is not installed, where they are needed.
        ValueError: a file that is no sound, a recording without samples, or one that is not 1-D.
    """

    takes = tensors(audio="(B, T)")

    encodes = "recordings"

    def __init__(
        self,
        sampling_rate: int,
        max_length: int | None = None,
        multiple: int = 1,
        **kwargs: Any,
    ) -> None:
        # Not that of the model: 16 bits would put noise below every recording.
        super().__init__(**{"dtype": "float32", **kwargs})
        checks.positive_int(sampling_rate=sampling_rate, multiple=multiple)
        for name, number, most in (
            ("sampling_rate", sampling_rate, _HIGHEST_RATE),
            ("multiple", multiple, _MOST_SAMPLES),  # to which a short recording is padded
        ):
            if number > most:
                raise ValueError(f"`{name}` must be at most {most}. Received: {name}={number}")
        if max_length is not None:
            checks.positive_int(max_length=max_length)
        self.sampling_rate = sampling_rate
        self.max_length = max_length
        self.multiple = multiple
        self.max_samples = _MOST_SAMPLES
        self.supports_masking = True

    def encode(self, recordings: Any) -> np.ndarray:
        """Returns waveforms `(B, T)` float32, padded with NaN to a multiple of `multiple`.

        Args:
            recordings: a list of `pathlib.Path` of sound files (mixed to mono and resampled; of
                one that is longer than `max_length`, no more is read), or of arrays of this
                layer's rate: floats `(T,)` from -1 to 1, or int16; or one array `(B, T)`, padded
                with NaN.

        Raises:
            FileNotFoundError: there is no such file.
            TypeError: it is one recording, or one is a string: who wrote it may name any file.
            ValueError: a recording cannot be read, or has more than `max_samples`.
        """
        if ops.is_tensor(recordings):
            recordings = ops.convert_to_numpy(recordings)
        if (
            isinstance(recordings, np.ndarray)
            and recordings.ndim == 2
            and recordings.dtype.kind == "f"
        ):
            more = self._round_up(recordings.shape[1]) - recordings.shape[1]
            padding = ((0, 0), (0, more))
            return np.pad(recordings.astype(np.float32), padding, constant_values=np.nan)
        rows = batches.items("recordings", recordings, "recordings")
        waveforms = [self._read_waveform(recording)[: self.max_length] for recording in rows]
        longest = max((len(waveform) for waveform in waveforms), default=0)
        padded = np.full((len(waveforms), self._round_up(longest)), np.nan, np.float32)
        for row, waveform in zip(padded, waveforms, strict=True):
            row[: len(waveform)] = waveform
        return padded

    def _read_waveform(self, recording: Any) -> np.ndarray:
        """Returns the samples `(T,)` of a recording, float32."""
        if isinstance(recording, (str, bytes)):
            raise TypeError(
                "A sound file must be named by a `pathlib.Path`: a string may come from anybody. "
                f"Received: {batches.short(recording)}"
            )
        if isinstance(recording, os.PathLike):
            waveform = _read(recording, self.sampling_rate, self.max_length, self.max_samples)
        else:
            waveform = np.asarray(recording)
            if waveform.dtype == np.int16:
                waveform = waveform / np.float32(2**15)
            if waveform.ndim != 1 or waveform.dtype.kind != "f":
                raise ValueError(
                    "A recording must be a path, or an array (T,) of floats or int16. Received: "
                    f"{waveform.dtype} of shape {waveform.shape}"
                )
        if not len(waveform) or not np.isfinite(waveform).all():
            what = recording if isinstance(recording, os.PathLike) else "A recording"
            raise ValueError(f"{what} has no samples, or some that are not finite.")
        return waveform.astype(np.float32)

    def build(self, audio_shape: tuple) -> None:
        self._check(audio_shape)
        self.built = True

    def call(self, audio: Any) -> Any:
        self._check(audio.shape)
        return ops.where(ops.isnan(audio), 0.0, audio)

    def compute_mask(self, audio: Any, previous_mask: Any = None) -> Any:
        return ops.logical_not(ops.isnan(audio))

    def _check(self, shape: tuple) -> None:
        checks.rank("audio", shape, "(B, T)")
        if shape[1] is not None and shape[1] % self.multiple:
            raise ValueError(
                f"The length of `audio` must be a multiple of {self.multiple}, padded with NaN "
                f"at the end, as `encode` does. Received: audio of shape {tuple(shape)}"
            )

    def _round_up(self, length: int) -> int:
        """Returns the least multiple of `multiple` that is not below `length`."""
        return -(-length // self.multiple) * self.multiple

    def compute_output_shape(self, audio_shape: tuple) -> tuple:
        self._check(audio_shape)
        return tuple(audio_shape)

    def compute_output_spec(self, audio: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(audio.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "sampling_rate": self.sampling_rate,
            "max_length": self.max_length,
            "multiple": self.multiple,
        }


def _read(
    path: os.PathLike, sampling_rate: int, max_length: int | None, max_samples: int
) -> np.ndarray:
    """Returns the first `max_length` samples of a file, mixed to mono, at `sampling_rate`.

    There may be some more, which the resampling filter has seen.
    """
    try:
        import soundfile
    except ImportError as error:
        raise ImportError(
            'Sound files need soundfile: python -m pip install "keras-attention[audio]"'
        ) from error
    batches.regular_file(path)
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            up, down = _find_ratio(path, rate, sampling_rate)
            wanted = max_samples + 1
            if max_length is not None:
                seen = _FILTER * max(up, down) // up + 1  # samples to each side of one
                wanted = min(wanted, -(-max_length * down // up) + seen)
            waveform = _read_mono(file, wanted)
    except (soundfile.SoundFileError, TypeError) as error:  # a raw file tells no rate
        raise ValueError(f"{path} cannot be read as sound: {error}") from error
    needed = max(len(waveform), len(waveform) * up // down)
    if needed > max_samples and (max_length is None or max_length > max_samples):
        raise ValueError(
            f"{path} has more samples than the limit of {max_samples:,}, or would have at "
            f"{sampling_rate} Hz. If you trust it, set the layer's `max_samples`, or its "
            "`max_length` to read the beginning alone."
        )
    if up == down or not len(waveform):
        return waveform
    try:
        from scipy.signal import resample_poly
    except ImportError as error:
        raise ImportError(
            f"{path} has {rate} Hz, and to resample it to {sampling_rate} Hz needs scipy: "
            'python -m pip install "keras-attention[audio]"'
        ) from error
    return resample_poly(waveform, up, down)


def _find_ratio(path: os.PathLike, rate: int, sampling_rate: int) -> tuple[int, int]:
    """Returns by how much to sample up and then down.

    The filter has 20 times as many taps as the larger of the two.
    """
    common = gcd(rate, sampling_rate) or 1
    up, down = sampling_rate // common, rate // common
    if not 0 < rate <= _HIGHEST_RATE or max(up, down) > _MOST_RATIO:
        raise ValueError(f"{path} has {rate} Hz, which cannot be resampled to {sampling_rate} Hz.")
    return up, down


def _read_mono(file: Any, wanted: int) -> np.ndarray:
    """Returns the mean over the channels of at most `wanted` samples, read piece by piece."""
    pieces, left = [np.zeros(0, np.float32)], wanted
    size = max(1, _PIECE // file.channels)
    while left > 0:
        piece = file.read(min(size, left), dtype="float32", always_2d=True)
        if not len(piece):
            break
        pieces.append(piece.mean(axis=1))
        left -= len(piece)
    return np.concatenate(pieces)
