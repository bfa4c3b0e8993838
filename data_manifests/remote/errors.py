"""Describe errors of object stores and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from data_manifests.errors import InputError

EXTRA = "pip install 'xmic[remote]'"

_CREDENTIALS = {
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for a public bucket FSSPEC_S3_ANON=true",
    "gs": "run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS; for a public bucket "
    "FSSPEC_GS_TOKEN=anon",
    "hf": "run hf auth login, or set HF_TOKEN",
}
_NO_REPOSITORY = frozenset({"RepositoryNotFoundError", "RevisionNotFoundError", "GatedRepoError", "DisabledRepoError"})
_SIGNED = "the server wants a login; name a signed address, or copy the file to a local folder"


class RemoteError(InputError, OSError):
    """Error of a remote file.

    It is one of input and one of a disk. The text names the address, what was found and what to do.

    Attributes:
        final: asking again gives the same answer.
    """

    def __init__(self, message: str, *, final: bool = True) -> None:
        super().__init__(message)
        self.final = final


class NotThere(RemoteError, FileNotFoundError):
    """Error for an address at which there is nothing."""


class Forbidden(RemoteError, PermissionError):
    """Error for an address that these credentials may not read."""


@contextmanager
def in_words(url: str) -> Iterator[None]:
    """Turn what the clients of the stores raise into :class:`RemoteError`.

    The clients raise several dozen kinds of exceptions, of other libraries.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        raise _translated(url, error) from error


def _translated(url: str, error: Exception) -> RemoteError:
    scheme = url.partition(":")[0]
    # fsspec raises FileNotFoundError for whatever a web server answers, and keeps the answer as its cause.
    hidden = isinstance(error, FileNotFoundError) and scheme in ("http", "https")
    cause = error.__cause__ if hidden and error.__cause__ is not None else error
    if scheme == "hf" and _NO_REPOSITORY & {type(error).__name__, type(error.__cause__).__name__}:
        return RemoteError(
            f"{url}: no such repository or revision on the hub, or none that you may read. Expected "
            f"hf://datasets/OWNER/NAME/FOLDER; if it is private or gated, {_CREDENTIALS['hf']}."
        )
    status = getattr(cause, "status", None) or getattr(getattr(cause, "response", None), "status_code", None)
    kind, text = type(cause).__name__, " ".join(str(cause).split())[:200]
    said = f"{kind}: {text}" if text else kind
    if isinstance(cause, ImportError):
        return RemoteError(f"{url}: reading {scheme}:// needs another package ({text}). Run: {EXTRA}")
    if isinstance(cause, FileNotFoundError) or status in (404, 410):
        return NotThere(f"{url}: not found. Check the address, and that it is the full name with its ending.")
    if kind in ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "ProfileNotFound"):
        return Forbidden(f"{url}: no credentials ({said}). Next: {_CREDENTIALS.get(scheme, _SIGNED)}.")
    if isinstance(cause, PermissionError) or status in (401, 403):
        return Forbidden(f"{url}: access is denied ({said}). Next: {_CREDENTIALS.get(scheme, _SIGNED)}.")
    return RemoteError(
        f"{url}: cannot be read ({said}). Check the network and the address; the same command goes on from here.",
        final=False,
    )
