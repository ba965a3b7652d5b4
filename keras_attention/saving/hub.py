"""Models on the Hugging Face Hub, and on servers with its interface."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from keras_attention.saving.archive import ASSETS, CONFIG, REQUIRED, TRAINING
from keras_attention.saving.digests import members
from keras_attention.saving.errors import RefusedFileError
from keras_attention.saving.limits import DEFAULT, MIB, Limits, exceeded

SCHEME = "hf://"
CARD = "README.md"
_LAYOUT = [*REQUIRED, TRAINING, f"{ASSETS}*"]
_NAMES = ("ETag", "X-Linked-Etag", "X-Repo-Commit")
_XET = "X-Xet-Hash"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_ADDRESS = re.compile(
    r"hf://(?!datasets/|spaces/|models/)(?P<repository>[\w.-]+/[\w.-]+)"
    r"(@(?P<revision>refs/(pr|convert)/[\w.-]+|[^/@]+))?(/(?P<file>[^@]+))?",
    re.ASCII,
)


@dataclass(frozen=True, kw_only=True)
class Address:
    """The parts of an `hf://` address.

    Attributes:
        repository: `user/name`.
        revision: branch, tag or commit; `None` is the main branch.
        file: a `.keras` file in it; `None` is the model whose files lie in the repository.
    """

    repository: str
    revision: str | None = None
    file: str | None = None


def parse(url: str, *, revision: str | None = None) -> Address:
    """Reads `hf://user/name`, `hf://user/name@revision` or `hf://user/name/file.keras`.

    Args:
        url: the address. A branch whose name has a slash is given as `revision`.
        revision: beside an address without one.

    Raises:
        ValueError: it is none, names a file that is no `.keras` file, or has two revisions.
    """
    match = _ADDRESS.fullmatch(url)
    if match is None:
        raise ValueError(
            "An address on the Hub is hf://user/name, hf://user/name@revision or "
            f"hf://user/name/file.keras, of a model. Received: {url!r}"
        )
    file = match["file"]
    if file and (not file.endswith(".keras") or {"", ".", ".."} & set(file.split("/"))):
        raise ValueError(f"A file on the Hub must be a `.keras` file. Received: {url!r}")
    if revision and match["revision"] and revision != match["revision"]:
        raise ValueError(
            f"`revision` must be that of the address, or left out. Received: {url!r}, "
            f"revision={revision!r}"
        )
    return Address(
        repository=match["repository"], revision=revision or match["revision"], file=file
    )


def download(url: str, *, revision: str | None = None, limits: Limits = DEFAULT) -> Path:
    """Gets a model into the Hub's cache, or finds it there.

    Of a repository only the files of a model are fetched, not scripts or models in other
    formats. What was fetched once is there without a network.

    Args:
        url: `hf://user/name`, `hf://user/name@revision` or `hf://user/name/file.keras`.
        revision: branch, tag or commit. Only a commit's hash is always the same model.
        limits: `file_bytes` of a file or `expanded_bytes` of a repository's, as it tells them,
            before they are fetched.

    Returns:
        The `.keras` file, or a folder with the files of a model among others. They are the
        cache's: to be read, not changed.

    Raises:
        ValueError: `url` is no such address.
        FileNotFoundError: the repository, the revision, the file, or a model there is missing.
        PermissionError: the repository asks for a right that the token, if any, does not give.
        ConnectionError: the Hub cannot be reached, and the cache does not have the model.
        RefusedFileError: it is too large, or the server's answers name paths that are none.
        ImportError: huggingface_hub is not installed.
    """
    address = parse(url, revision=revision)
    if address.file:
        library = _library()
        with _explained(library, url, address), _watched(library, url, address, limits):
            _check_size(library, url, address, [address.file], limits)
            path = library.hf_hub_download(
                address.repository, address.file, revision=address.revision
            )
        return Path(path)
    folder = download_files(url, _LAYOUT, revision=revision, limits=limits)
    if not (folder / CONFIG).exists():
        raise FileNotFoundError(
            f"{url} has no {CONFIG}: it is no model in Keras's layout. If there is a `.keras` file "
            f"in it, name it: {SCHEME}{address.repository}/file.keras"
        )
    return folder


def download_files(
    url: str,
    patterns: Sequence[str],
    *,
    revision: str | None = None,
    limits: Limits = DEFAULT,
) -> Path:
    """Gets some files of a repository into the Hub's cache, or finds them there.

    Args:
        url: `hf://user/name` or `hf://user/name@revision`.
        patterns: names of files, with `*` for any letters, as of `fnmatch`.
        revision: branch, tag or commit.
        limits: `expanded_bytes` of these files together.

    Returns:
        A folder of the cache with the files that the repository has: to be read, not changed.

    Raises:
        ValueError, FileNotFoundError, PermissionError, ConnectionError, RefusedFileError,
        ImportError: as `download` does.
    """
    address = parse(url, revision=revision)
    if address.file:
        raise ValueError(f"`url` must be {SCHEME}user/name, without a file. Received: {url!r}")
    library = _library()
    with _explained(library, url, address), _watched(library, url, address, limits):
        _check_size(library, url, address, patterns, limits)
        return Path(
            library.snapshot_download(
                address.repository, revision=address.revision, allow_patterns=list(patterns)
            )
        )


def upload(folder: str | Path, url: str, *, message: str) -> str:
    """Puts a model on the Hub, in one commit.

    The repository is made if it is not there, for everybody to see; make it on the site first
    to have it private. The model replaces the one in it, whose other files stay.

    Args:
        folder: has the files of a model in Keras's layout, and `README.md`, its card; others
            are left out.
        url: `hf://user/name`, or `hf://user/name@branch` of a branch that exists.
        message: of the commit.

    Returns:
        The hash of the commit, for `ka.load_model(url, revision=...)`.

    Raises:
        ValueError: `url` is no such address, or the Hub does not accept the card.
        FileNotFoundError: there is no model in `folder`, or no such branch.
        PermissionError: nobody is logged in, or may not write there.
        ConnectionError: the Hub cannot be reached.
        ImportError: huggingface_hub is not installed.
    """
    address = parse(url)
    if address.file:
        raise ValueError(
            "The Hub gets a model's files, not a `.keras` file. Save to "
            f"{SCHEME}{address.repository}. Received: {url!r}"
        )
    library = _library()
    files = members(folder)
    absent = [name for name in REQUIRED if name not in files]
    if absent:
        raise FileNotFoundError(f"{folder} holds no model: it lacks {' and '.join(absent)}.")
    if (Path(folder) / CARD).is_file():
        files[CARD] = Path(folder) / CARD
    api = library.HfApi()
    with _explained(library, url, address):
        api.create_repo(address.repository, exist_ok=True)
        info = api.model_info(address.repository, revision=address.revision)
        there = [sibling.rfilename for sibling in info.siblings or []]
        commit = api.create_commit(
            address.repository,
            [
                *(library.CommitOperationAdd(name, str(path)) for name, path in files.items()),
                *(
                    library.CommitOperationDelete(name)
                    for name in there
                    if _is_among(name, _LAYOUT) and name not in files
                ),
            ],
            commit_message=message,
            revision=address.revision,
        )
    return commit.oid


def _is_among(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _check_size(
    library: Any, url: str, address: Address, patterns: Sequence[str], limits: Limits
) -> None:
    try:
        info = library.HfApi().model_info(
            address.repository, revision=address.revision, files_metadata=True
        )
    except Exception:
        return  # The download meets the same: it finds the model in the cache, or says why not.
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}
    if address.file:
        limit, size = "file_bytes", sizes.get(address.file, 0)
    else:
        limit = "expanded_bytes"
        size = sum(size for name, size in sizes.items() if _is_among(name, patterns))
    if size > getattr(limits, limit):
        what = f"{url}: The size of the model"
        raise exceeded(what, f"{size:,} bytes", limit, f"{getattr(limits, limit):,}")


@contextmanager
def _watched(library: Any, url: str, address: Address, limits: Limits) -> Iterator[None]:
    """Refuses answers that the library takes on trust, while a model is fetched.

    It names files in its cache by the ETag and the commit of an answer, which may be any path,
    and writes as many bytes as come. Transfers by Xet go past its client, where nobody counts
    them, so files are fetched without it. The client is shared: what other threads fetch
    meanwhile is watched too.
    """
    limit = "file_bytes" if address.file else "expanded_bytes"
    most, received = getattr(limits, limit), 0

    def check_name(name: str, sent_as: str) -> None:
        if not _NAME.fullmatch(name):
            raise RefusedFileError(f"{url}: The server sent {name!r:.200} as {sent_as}.", "")

    def watch(response: Any) -> None:
        if response.request.method == "HEAD":
            response.headers.pop(_XET, None)
            for header in _NAMES:
                name = response.headers.get(header, "-").removeprefix("W/").strip('"')
                check_name(name, header)
        iterate, parse_json = response.iter_bytes, response.json

        def parse(**settings: Any) -> Any:
            answer = parse_json(**settings)
            if isinstance(answer, dict) and "sha" in answer:
                check_name(str(answer["sha"]), "the commit")
            return answer

        def count(*arguments: Any, **settings: Any) -> Iterator[bytes]:
            nonlocal received
            for chunk in iterate(*arguments, **settings):
                received += len(chunk)
                if received > most + MIB:  # a MiB for what the server tells of the repository
                    what = f"{url}: What comes, whatever the server said before,"
                    raise exceeded(what, f"more than {most:,} bytes", limit, f"{most:,}")
                yield chunk

        response.iter_bytes, response.json = count, parse

    client = library.get_session()
    hooks = client.event_hooks
    client.event_hooks = {**hooks, "response": [*hooks.get("response", ()), watch]}
    try:
        yield
    finally:
        hooks = client.event_hooks
        remaining = [each for each in hooks["response"] if each is not watch]
        client.event_hooks = {**hooks, "response": remaining}


@contextmanager
def _explained(library: Any, url: str, address: Address) -> Iterator[None]:
    """Says what to do about the library's errors, which stay as causes."""
    errors = library.errors
    try:
        yield
    except Exception as error:
        problem = error
        if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(
            error.__cause__, errors.HfHubHTTPError
        ):
            problem = error.__cause__  # what the Hub said before the cache was tried
        status = getattr(getattr(problem, "response", None), "status_code", None)
        login = "log in with `hf auth login`, or set HF_TOKEN"
        if isinstance(problem, errors.GatedRepoError):
            raise PermissionError(
                f"{url} is given to those only who asked for it: do so on its page, then {login}."
            ) from error
        if isinstance(problem, errors.RepositoryNotFoundError):
            raise FileNotFoundError(
                f"There is no model {url}, or it is private. Check the name; if it is private, "
                f"{login}."
            ) from error
        if isinstance(problem, errors.RevisionNotFoundError):
            raise FileNotFoundError(
                f"{url} has no branch, tag or commit {address.revision!r}."
            ) from error
        if status in (401, 403):
            raise PermissionError(
                f"The Hub does not let you do this with {url}: {login}, with a token that has the "
                "right to."
            ) from error
        if isinstance(problem, errors.LocalEntryNotFoundError | ConnectionError) or (
            status is None and isinstance(problem, errors.HTTPError)
        ):
            raise ConnectionError(
                f"The Hub cannot be reached for {url}, and its cache "
                f"({library.constants.HF_HUB_CACHE}) does not help. Check the network, "
                f"HF_ENDPOINT and HF_HUB_OFFLINE. ({problem})"
            ) from error
        if isinstance(problem, errors.EntryNotFoundError):
            raise FileNotFoundError(f"{url}: There is no such file in the repository.") from error
        if isinstance(problem, OSError) and "Consistency check" in str(problem):
            raise ConnectionError(
                f"{url}: What came is not as long as the server said. Try again. ({problem})"
            ) from error
        if str(problem).startswith(("Invalid pointer path", "Invalid filename")):
            raise RefusedFileError(
                f"{url}: A name that the server sent leads out of the model's folder ({problem}).",
                "",
            ) from error
        if isinstance(problem, errors.HfHubHTTPError):
            raise ConnectionError(f"The Hub answered with an error for {url}: {problem}") from error
        raise


def _library() -> Any:
    try:
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError as error:
        raise ImportError(
            f'{SCHEME} addresses need huggingface_hub: python -m pip install "keras-attention[hub]"'
        ) from error
    return huggingface_hub
