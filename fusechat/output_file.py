"""Writing JSONL so that nothing is lost, doubled or half-written under a final name.

Lines are appended to `X.jsonl.partial`. When all are there, the file is flushed to disk and renamed to
`X.jsonl` in one step, so a file under its final name is complete. Started again, a run drops a torn last
line, keeps what is done and goes on; a lock keeps a second run away; `X.jsonl.partial.run.json` holds the
settings that the part was made with, and `X.jsonl.run.json` those of the finished file.
"""

import contextlib
import errno
import fcntl
import glob
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from fusechat.errors import BadInput
from fusechat.run_manifest import Manifest, process_identity

TAIL_BYTES = 1 << 20


class OutputFile:
    """One output of a step, resumable line by line; see the module's docstring for the protocol."""

    def __init__(self, path: Path, *, id_field: str, manifest: Manifest, overwrite: bool = False) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")
        self.sidecar = path.with_name(path.name + ".run.json")
        self.partial_sidecar = path.with_name(path.name + ".partial.run.json")
        self._ordered = path.with_name(path.name + ".ordered")
        self.id_field, self.manifest, self.overwrite = id_field, manifest, overwrite
        self.done: set[str] = set()
        self._descriptor: int | None = None
        self._earlier_seconds = 0.0
        self._start = time.monotonic()

    @property
    def is_complete(self) -> bool:
        """Whether the finished file is there already (and is not to be made anew). BadInput for a folder."""
        if self.path.is_dir():
            raise BadInput(f"{self.path}: is a folder; give the name of a file, X.jsonl")
        return self.path.exists() and not self.overwrite

    def say_complete(self) -> None:
        """Tells the user that there is nothing to do."""
        print(f"{self.path}: is complete already; nothing to do (--overwrite starts anew)")
        # A run killed between its rename and its last clean-up leaves only this behind.
        if not self.partial.exists():
            self.partial_sidecar.unlink(missing_ok=True)

    def check_writable(self) -> None:
        """Raises BadInput where the output cannot be written or another run writes it: before a model is loaded."""
        self._open_locked()
        if os.fstat(self._open_descriptor()).st_size == 0:
            self.partial.unlink()
        self._close()

    def __enter__(self) -> "OutputFile":
        self.manifest.settings()  # faults of the inputs show before anything is written
        self._open_locked()
        try:
            if self.overwrite:
                os.ftruncate(self._open_descriptor(), 0)
            if os.fstat(self._open_descriptor()).st_size == 0:
                self._write_partial_sidecar()
            else:
                self._take_up()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is None:
            return
        if os.fstat(self._descriptor).st_size == 0:
            self.partial.unlink(missing_ok=True)
            self.partial_sidecar.unlink(missing_ok=True)
        self._close()

    def _open_locked(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(
                self.partial, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666
            )
        except OSError as error:
            raise BadInput(
                f"{self.partial}: cannot be written: {error.strerror}; choose another --output"
            ) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._close()
            if error.errno == errno.EWOULDBLOCK:
                raise BadInput(
                    f"{self.partial}: another run is writing it; wait for that run, or choose another --output"
                ) from None
            raise BadInput(
                f"{self.partial}: cannot be locked: {error.strerror}; use a disk with file locks"
            ) from None
        # The run that held the lock may have finished, and renamed its file, since we looked for it.
        if self.is_complete or not self._is_the_partial():
            if os.fstat(self._descriptor).st_size == 0 and self._is_the_partial():
                self.partial.unlink()
            self._close()
            raise BadInput(f"{self.path}: another run has finished it just now; give the same command again")
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        """Removes what a run that was killed amid a rename left behind; the lock says that nobody needs it."""
        for sidecar in (self.sidecar, self.partial_sidecar):
            for path in self.path.parent.glob(f"{glob.escape(sidecar.name)}.*.tmp"):
                path.unlink(missing_ok=True)
        self._ordered.unlink(missing_ok=True)

    def _is_the_partial(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._open_descriptor()), self.partial.stat())
        except FileNotFoundError:
            return False

    def _take_up(self) -> None:
        """Goes on from a part that is there: same settings, torn last line off, ids read."""
        if not self.partial_sidecar.exists():
            raise BadInput(
                f"{self.partial}: has no {self.partial_sidecar.name} beside it, so nobody knows what made it; "
                "remove it or give --overwrite to start anew"
            )
        try:
            earlier = msgspec.json.decode(self.partial_sidecar.read_bytes(), type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BadInput(f"{self.partial_sidecar}: is damaged; give --overwrite to start anew") from None
        self.manifest.check_agrees(earlier, self.partial)
        self._earlier_seconds = float(earlier.get("seconds", 0.0))
        self._drop_torn_line()
        places: dict[str, tuple[int, int]] = {}
        lines = 0
        for record_id, offset, length in self._written_lines():
            places.setdefault(record_id, (offset, length))
            lines += 1
        if lines > len(places):  # two writers on a disk that ignores locks
            self._replace_by(list(places.values()))
        self.done.update(places)
        print(f"{self.partial}: going on after the {len(self.done)} lines that are there", flush=True)

    def _drop_torn_line(self) -> None:
        """Cuts the file behind its last LF: a killed writer may have left half a line."""
        descriptor = self._open_descriptor()
        end = size = os.fstat(descriptor).st_size
        while end > 0:
            start = max(0, end - TAIL_BYTES)
            last_newline = os.pread(descriptor, end - start, start).rfind(b"\n")
            if last_newline >= 0:
                end = start + last_newline + 1
                break
            end = start
        if end < size:
            os.ftruncate(descriptor, end)

    def _written_lines(self) -> Iterable[tuple[str, int, int]]:
        """Yields (id, offset, length in bytes) of every line of the partial file."""
        decoder = msgspec.json.Decoder(dict[str, Any])
        offset = 0
        with self.partial.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    record_id = decoder.decode(line)[self.id_field]
                except (msgspec.DecodeError, KeyError, UnicodeDecodeError):
                    raise BadInput(
                        f"{self.partial}:{number}: {self.id_field}: this line is damaged; remove the line, "
                        "or give --overwrite to start anew"
                    ) from None
                yield record_id, offset, len(line)
                offset += len(line)

    def write(self, record: Any) -> None:
        """Appends one record (msgspec struct or dict) as one line and remembers its id.

        Raises BadInput where the disk is full; the lines written before stay.
        """
        plain = record if isinstance(record, dict) else msgspec.to_builtins(record)
        record_id = plain[self.id_field]
        if record_id in self.done:
            raise ValueError(f"{self.path}: {self.id_field} {record_id} is written twice")
        rest = memoryview(encode_line(plain))
        try:
            while rest:
                rest = rest[os.write(self._open_descriptor(), rest) :]
        except OSError as error:
            raise self._cannot_write(error) from None
        self.done.add(record_id)

    def finish(self, *, counts: Mapping[str, Any] | None = None, order: Iterable[str] | None = None) -> None:
        """Completes the file: order of ids if given, to disk, sidecar, rename.

        `order` names all ids; lines are rewritten in that order, so that a run that finished its items in
        another order (or was killed and went on) ends with the same bytes.
        """
        try:
            if order is not None:
                self._rewrite_in(list(order))
            os.fsync(self._open_descriptor())
            seconds = self._earlier_seconds + time.monotonic() - self._start
            write_json(
                self.sidecar,
                {**self.manifest.as_dict(), "counts": dict(counts or {}), "seconds": round(seconds, 3)},
            )
            os.replace(self.partial, self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            raise self._cannot_write(error) from None
        self.partial_sidecar.unlink(missing_ok=True)
        self._close()

    def _rewrite_in(self, order: list[str]) -> None:
        """Makes the partial file's lines follow `order`."""
        places = {record_id: (offset, length) for record_id, offset, length in self._written_lines()}
        foreign = sorted(set(places) - set(order))
        if foreign:
            raise BadInput(
                f"{self.partial}: {self.id_field}: {foreign[0]} is not asked for by these inputs; remove its line, "
                "or give --overwrite to start anew"
            )
        if len(order) != len(places):
            lacking = ", ".join(sorted(set(order) - set(places))[:3])
            raise RuntimeError(f"{self.path}: the ids written are not the ids planned: {lacking} …")
        if order != list(places):
            self._replace_by([places[record_id] for record_id in order])

    def _replace_by(self, places: Iterable[tuple[int, int]]) -> None:
        """Keeps the lines of the partial file at these (offset, length), in this order.

        One rename; the lock moves with the name.
        """
        try:
            with self.partial.open("rb") as source, self._ordered.open("wb") as target:
                for offset, length in places:
                    source.seek(offset)
                    target.write(source.read(length))
            descriptor = os.open(self._ordered, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.fsync(descriptor)
            os.replace(self._ordered, self.partial)
        except BaseException:
            self._ordered.unlink(missing_ok=True)  # on a full disk, it would take the room that is needed
            raise
        self._close()
        self._descriptor = descriptor

    def _write_partial_sidecar(self) -> None:
        try:
            write_json(self.partial_sidecar, {**self.manifest.as_dict(), "writer": process_identity()})
        except BadInput:
            self.partial.unlink(missing_ok=True)
            raise

    def _cannot_write(self, error: OSError) -> BadInput:
        return BadInput(
            f"{self.partial}: cannot be written: {error.strerror}; make room, then the same command goes on"
        )

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise RuntimeError(f"{self.path}: is written outside its with block")
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def encode_line(record: Any) -> bytes:
    """One JSONL line, UTF-8, LF. Raises ValueError for NaN and infinities; lone surrogates become U+FFFD."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    try:
        return text.encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode("utf-8") + b"\n"


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file in one step, indented for people. BadInput where that is impossible."""
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a whole small file under a temporary name, then renames it. BadInput where that is impossible."""
    # Only paths that are no UTF-8 themselves hold what cannot be encoded.
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be written: {error.strerror}; choose another folder or make room"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # nothing is there but after a fault or an interrupt


def _sync_folder(folder: Path) -> None:
    # The rename itself reaches the disk only with its folder.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
