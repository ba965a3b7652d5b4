"""Free Spoken Digit Dataset: 3,000 recordings of ten English digits by six speakers, 8 kHz."""

import io
import re
from collections.abc import Callable, Mapping

import numpy as np

from zoo.data import Arrays, Source, Splits, objects
from zoo.data.archives import digest, read_files
from zoo.data.download import File, fetch, root

SOURCE = Source(
    name="Free Spoken Digit Dataset",
    url="https://github.com/Jakobovski/free-spoken-digit-dataset",
    license="CC BY-SA 4.0",
    citation=(
        "Z. Jackson et al., Free Spoken Digit Dataset, 2024, "
        "https://github.com/Jakobovski/free-spoken-digit-dataset"
    ),
)
CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
SAMPLING_RATE = 8000
# The archive of a repository is made when it is asked for, so its own bytes may differ from one
# time to the next; what is pinned is the content of its recordings.
_ARCHIVE = File(
    url=(
        "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/"
        "26eb9aaf76e81b692f806f9140c2d2777410d7a1.tar.gz"
    ),
    sha256=None,
    name="free-spoken-digit-dataset.tar.gz",
)
_SHA256 = "dbd573d7cafe79c4b49f65718115e1304e24e067fa39eff18a660dc6cb9c360f"
_FILES = r".*\.wav"
_NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")

Recording = tuple[int, str, int]  # digit, speaker, index


def load(held_out_speaker: str | None = None) -> Splits:
    """The official split, or one that is tested on a speaker whom the model never heard.

    Officially the recordings 0 to 4 of each digit and speaker are for testing: the same speakers
    as in training. Of the others, 5 to 9 are to choose by here.

    Args:
        held_out_speaker: one of `SPEAKERS`, all of whose 500 recordings become the test part;
            0 to 4 of the other speakers are then to choose by.

    Returns:
        `x` `(B,)` object array of float32 waveforms from -1 to 1, `y` `(B,)` int32.

    Raises:
        ValueError: there is no such speaker, or the recordings are not those that were published.
    """
    folder = root() / "fsdd"
    packed = folder / "recordings.zip"  # the same content, where somebody packed it
    files = read_files(packed if packed.exists() else fetch("fsdd", _ARCHIVE), _FILES)
    received = digest(files)
    if received != _SHA256:
        raise ValueError(
            f"The recordings in {folder} are not those that were published: their digest is "
            f"{received}, expected {_SHA256}. Remove the file there, to have it fetched anew."
        )
    return split(recordings(files), held_out_speaker)


def sample(held_out_speaker: str | None = None) -> Splits:
    """Made-up recordings of the same form: a digit is a rising or falling tone of its own."""
    rng = np.random.default_rng(0)
    made: dict[Recording, np.ndarray] = {}
    for digit in range(10):
        for number, speaker in enumerate(SPEAKERS):
            for index in (0, 5, 10):
                # Of few lengths, each of which is compiled for.
                seconds = np.arange(500 * rng.integers(3, 7)) / SAMPLING_RATE
                pitch = 300 + 250 * (digit // 2) + 20 * number
                sweep = (400 if digit % 2 else -400) * seconds
                wave = 0.3 * np.sin(2 * np.pi * (pitch + sweep) * seconds)
                noise = rng.normal(scale=0.003, size=len(seconds))
                made[digit, speaker, index] = (wave + noise).astype(np.float32)
    return split(made, held_out_speaker)


def recordings(files: Mapping[str, bytes]) -> dict[Recording, np.ndarray]:
    """Waveforms float32 of `.wav` files named `{digit}_{speaker}_{index}.wav`.

    Raises:
        ValueError: a file of another name, rate or number of channels.
    """
    import soundfile

    waveforms = {}
    for name, content in files.items():
        match = _NAME.fullmatch(name)
        if match is None:
            raise ValueError(f"{name} is not named as in `7_jackson_32.wav`.")
        waveform, rate = soundfile.read(io.BytesIO(content), dtype="float32")
        if rate != SAMPLING_RATE or waveform.ndim != 1:
            raise ValueError(f"{name} has {rate} Hz and shape {waveform.shape}, not 8,000 Hz mono.")
        digit, speaker, index = match.groups()
        waveforms[int(digit), speaker, int(index)] = waveform
    return dict(sorted(waveforms.items()))


def split(waveforms: Mapping[Recording, np.ndarray], held_out_speaker: str | None) -> Splits:
    """The parts that `load` describes."""
    if held_out_speaker not in (None, *SPEAKERS):
        raise ValueError(
            f"`held_out_speaker` must be one of {', '.join(SPEAKERS)}. "
            f"Received: held_out_speaker={held_out_speaker!r}"
        )

    def part(belongs: Callable[[str, int], bool]) -> Arrays:
        keys = [key for key in waveforms if belongs(key[1], key[2])]
        y = np.array([digit for digit, _, _ in keys], np.int32)
        return objects(waveforms[key] for key in keys), y

    if held_out_speaker is None:
        train = part(lambda speaker, index: index >= 10)
        validation = part(lambda speaker, index: 5 <= index < 10)
        test = part(lambda speaker, index: index < 5)
    else:
        train = part(lambda speaker, index: speaker != held_out_speaker and index >= 5)
        validation = part(lambda speaker, index: speaker != held_out_speaker and index < 5)
        test = part(lambda speaker, index: speaker == held_out_speaker)
    return Splits(
        train=train, validation=validation, test=test, class_names=CLASS_NAMES, source=SOURCE
    )
