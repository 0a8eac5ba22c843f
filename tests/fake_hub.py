"""A Hub and a GitHub on 127.0.0.1 that serve the files below a folder: what --download-only is tried with."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_server import QuietHandler, serving

COMMIT = "a" * 40
_INFO = re.compile(r"/api/datasets/([^/]+/[^/]+)(?:/revision/([^/?]+))?(?:\?.*)?$")
_TREE = re.compile(r"/api/datasets/([^/]+/[^/]+)/tree/([^/?]+)(?:\?.*)?$")
_FILE = re.compile(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")
_RAW = re.compile(r"/raw/([^/]+/[^/]+)/([^/]+)/(.+)$")


class FakeHub:
    """What was asked for, and which repositories are gated."""

    def __init__(self, root: Path) -> None:
        self.root, self.url = root, ""
        self.gated: set[str] = set()
        self.fetched: list[str] = []


@contextmanager
def fake_hub(root: Path) -> Iterator[FakeHub]:
    """Serves `root` while the block lasts: HF_ENDPOINT=url, GITHUB_RAW_URL=url/raw."""
    hub = FakeHub(root)

    class Handler(QuietHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            if match := _INFO.match(self.path) or _TREE.match(self.path):
                self.repository(match.group(1), is_tree=bool(_TREE.match(self.path)))
            elif match := _FILE.match(self.path) or _RAW.match(self.path):
                self.file(match.group(1), match.group(3), with_body)
            else:
                self.send(404, b"{}")

        def repository(self, name: str, is_tree: bool) -> None:
            if name in hub.gated:
                self.send(
                    403, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"}
                )
                return
            folder = root / name
            paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            if not paths:
                self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
                return
            names = [path.relative_to(folder).as_posix() for path in paths]
            if is_tree:
                entries = [
                    {"type": "file", "path": one, "size": path.stat().st_size, "oid": git_blob_id(path)}
                    for one, path in zip(names, paths, strict=True)
                ]
                self.send(200, json.dumps(entries).encode())
                return
            info = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": one} for one in names]}
            self.send(200, json.dumps(info).encode())

        def file(self, name: str, path: str, with_body: bool) -> None:
            place = root / name / path
            if not place.is_file():
                self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
                return
            if with_body:
                hub.fetched.append(f"{name}/{path}")
            headers = {"ETag": f'"{git_blob_id(place)}"', "X-Repo-Commit": COMMIT}
            self.send(200, place.read_bytes(), headers, with_body)

    with serving(Handler) as hub.url:
        yield hub


def git_blob_id(path: Path) -> str:
    """The id that git, and so the Hub, gives a file."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
