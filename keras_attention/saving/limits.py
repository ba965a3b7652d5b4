"""How large a file may be that nobody vouches for."""

from dataclasses import dataclass

from keras_attention.saving.errors import RefusedFileError

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds that a file must keep before anything of it is used.

    Attributes:
        file_bytes: size of the file.
        expanded_bytes: size of all its members together.
        expansion: how many times its size in the file a member may have; small members, up to
            1 MiB, may have more. Keras does not compress.
        config_bytes: size of the configuration.
        asset_bytes: size of an asset, such as a vocabulary.
        config_depth: how deep the configuration may be nested.
        values: how many values it may hold.
        objects: how many layers, initializers and their like it may name; and how many groups
            and arrays the weights may have.
        calls: how many calls of layers building the model may take. A layer that waits for
            others counts each time that Keras tries it, a model inside a model with all its
            layers.
        input_numbers: product of the sizes that an input, or the result of a layer, fixes.
        parameters: numbers that the model may hold beyond those that the file brings along,
            such as the states of metrics; and by how much a size in the configuration may exceed
            the number of weights.
        stateful: whether recurrent layers may keep a state for each row of a batch, whose size
            the file chooses.
        non_finite: whether weights may be NaN or infinite.
    """

    file_bytes: int = 16 * 1024 * MIB
    expanded_bytes: int = 16 * 1024 * MIB
    expansion: int = 20
    config_bytes: int = 16 * MIB
    asset_bytes: int = 64 * MIB
    config_depth: int = 100
    values: int = 2**21
    objects: int = 50_000
    calls: int = 5_000
    input_numbers: int = 2**26
    parameters: int = 1_000_000
    stateful: bool = False
    non_finite: bool = False


DEFAULT = Limits()
OWN = Limits(  # of files that this process wrote, or finds by their digest
    file_bytes=2**63, expanded_bytes=2**63, config_bytes=2**63, asset_bytes=2**63, objects=2**63
)


def exceeded(what: str, actual: object, limit: str, value: object) -> RefusedFileError:
    """The refusal of a file because of a limit, by its name and value."""
    return RefusedFileError(
        f"{what} is {actual}, above the limit of {value}.",
        f"If you trust the file, pass `limits=ka.saving.Limits({limit}=...)`.",
    )
