"""The folder of a campaign: its configuration and a small file for each run. Each file is whole or not there."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - not on this platform
    fcntl = None  # type: ignore[assignment]

from exactdrl.campaigns.cases import AnyCase
from exactdrl.campaigns.config import Campaign
from exactdrl.exact.rationals import InputError

FORMAT = "exactdrl-campaign"
_MANIFEST = "campaign.json"
_LOCK = ".lock"
_RESULTS = "results"
_RUNS = "runs"


class Store:
    """A campaign's folder, held by one process at a time.

    A kill at any moment leaves whole files only, since each is written under another name, flushed to the disk, and
    then renamed.
    """

    def __init__(self, folder: Path, campaign: Campaign) -> None:
        """Takes an opened folder, see `open_store`."""
        self.folder = folder
        self._campaign = campaign

    def result(self, case: AnyCase) -> dict[str, object] | None:
        """Returns the result of a run; None if it has not been done.

        Raises:
            InputError: the file is not one of this campaign's results.
        """
        path = self.folder / _RESULTS / f"{case.name}.json"
        if not path.exists():
            return None
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not a result of this campaign ({error}); remove it to run it again") from None
        if not isinstance(value, dict) or value.get("case") != case.to_json():
            raise InputError(f"{path}: not the result of this run; remove it to run it again")
        return value

    def save(self, case: AnyCase, result: Mapping[str, object], kept: Mapping[str, bytes]) -> None:
        """Writes the result of a run after its kept files, so that a result's kept files are always there."""
        for ending, content in kept.items():
            self.write(Path(_RUNS) / f"{case.name}{ending}", content)
        text = json.dumps(dict(result), indent=1, sort_keys=True, allow_nan=False)
        self.write(Path(_RESULTS) / f"{case.name}.json", f"{text}\n".encode("ascii"))

    def write(self, name: Path | str, content: bytes) -> Path:
        """Writes a file of the folder, whole or not at all, and returns its path.

        Raises:
            InputError: the file cannot be written.
        """
        path = self.folder / name
        partial = path.with_name(f"{path.name}.new")
        try:
            path.parent.mkdir(exist_ok=True)
            with partial.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
        return path


@contextmanager
def open_store(folder: Path, campaign: Campaign) -> Iterator[Store]:
    """Opens a campaign's folder, which is made if it is not there, and holds it until the body ends.

    Raises:
        InputError: the folder holds something else or a campaign with another configuration, another process works in
            it, or it cannot be written.
    """
    if folder.is_dir() and not (folder / _MANIFEST).exists() and _strangers(folder):
        raise InputError(f"{folder}: holds files that are not a campaign's; a new or an empty folder is needed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("w", encoding="ascii")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from None
    with lock:
        try:
            # the system releases the lock when the process ends, however it ends; a platform without locks holds
            # nothing
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{folder}: another process works on this campaign") from None
        store = Store(folder, campaign)
        _check_manifest(store, campaign)
        yield store


def _strangers(folder: Path) -> bool:
    return any(path.name not in {_LOCK, f"{_MANIFEST}.new"} for path in folder.iterdir())


def _check_manifest(store: Store, campaign: Campaign) -> None:
    path = store.folder / _MANIFEST
    meaning = campaign.to_json()
    if not path.exists():
        manifest = {"format": FORMAT, "digest": campaign.digest, "campaign": meaning}
        store.write(_MANIFEST, f"{json.dumps(manifest)}\n".encode("ascii"))
        return
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not the manifest of a campaign ({error})") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("campaign"), dict):
        raise InputError(f"{path}: not the manifest of a campaign")
    if found["campaign"] != meaning:
        keys = [key for key in meaning if found["campaign"].get(key) != meaning[key]]
        raise InputError(
            f"{store.folder}: holds the results of another configuration; they differ in "
            f"{', '.join(keys) or 'unknown keys'}. Name another folder with -o (folder)"
        )
