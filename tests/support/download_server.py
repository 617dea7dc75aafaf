"""A server on loopback that lists and sends files as figshare and Hugging Face do."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PIECE = 4000
"""Bytes after which a connection breaks, if it is to break."""


@dataclass
class Served:
    """What a server has, how it fails, and what it was asked for."""

    url: str = ""
    articles: Mapping[int, Mapping[str, bytes]] = field(default_factory=dict)
    data_set: Mapping[str, bytes] = field(default_factory=dict)
    models: Mapping[str, bytes] = field(default_factory=dict)
    breaks: int = 0
    """How many connections break after `PIECE` bytes, from now on."""

    busy: int = 0
    """How many requests for files are answered 503, from now on."""

    wants_browsers: bool = False
    knows_ranges: bool = True
    corrupt: str = ""
    """A file of which the first byte is sent wrong."""

    link: str = ""
    """Header ``Link`` of answers with files."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and range of each request for a file."""


class _Handler(http.server.BaseHTTPRequestHandler):
    served: Served

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parts = url.path.strip("/").split("/")
        if parts[0] == "articles":
            self._send_article(int(parts[1]), parse_qs(url.query))
        elif url.path.startswith("/api/datasets/"):
            self._send_tree(parse_qs(url.query))
        elif url.path.startswith("/api/models/"):
            is_whole = parse_qs(url.query).get("recursive") == ["true"]
            self._send_model(unquote(url.path), is_whole=is_whole)
        elif parts[0] == "ndownloader":
            self._redirect(f"/files/{'/'.join(parts[1:])}")
        elif parts[0] == "files":
            self._send_file(self.served.articles[int(parts[1])][parts[2]], parts[2])
        elif "resolve" in parts:
            name = url.path.split("/resolve/main/")[1]
            files = {**self.served.data_set, **self.served.models}
            self._send_file(files[name], name)
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        query = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        paths = query.get("paths", [])
        self._send_json([entry for entry in self._models() if entry["path"] in paths])

    def _send_model(self, path: str, *, is_whole: bool) -> None:
        parts = path.strip("/").split("/")[4:]
        if parts[:1] != ["tree"]:
            self._send_json({"id": "me/model", "sha": "0" * 40, "siblings": []})
            return
        folder = "".join(f"{part}/" for part in parts[2:])
        entries = [entry for entry in self._models() if entry["path"].startswith(folder)]
        inner = [
            entry
            for entry in entries
            if is_whole or "/" not in entry["path"].removeprefix(folder)
        ]
        if entries:
            self._send_json(inner)
        else:
            self._begin(404, 0, {"X-Error-Code": "EntryNotFound"})

    def _models(self) -> list[dict[str, Any]]:
        """List files, and the folders that they are in."""
        files = [_entry(name, content) for name, content in self.served.models.items()]
        folders = {str(f) for name in self.served.models for f in Path(name).parents} - {
            "."
        }
        return [
            *files,
            *(
                {"type": "directory", "path": f, "oid": "0" * 40, "size": 0}
                for f in folders
            ),
        ]

    def _send_article(self, number: int, query: Mapping[str, list[str]]) -> None:
        page, size = int(query["page"][0]), 2  # fewer than asked for
        files = [
            {
                "id": 1000 * number + k,
                "name": name,
                "size": len(content),
                "download_url": f"{self.served.url}/ndownloader/{number}/{name}",
                "computed_md5": hashlib.md5(content).hexdigest(),  # noqa: S324
                "supplied_md5": "",
                "is_link_only": False,
            }
            for k, (name, content) in enumerate(self.served.articles[number].items())
        ]
        self._send_json(files[size * (page - 1) : size * page])

    def _send_tree(self, query: Mapping[str, list[str]]) -> None:
        entries: list[dict[str, Any]] = [
            {"type": "directory", "path": "folder", "oid": "0" * 40, "size": 0},
            {"type": "file", "path": ".gitattributes", "oid": "1" * 40, "size": 3},
        ]
        entries += [_entry(name, content) for name, content in self.served.data_set.items()]
        start = int(query.get("cursor", ["0"])[0])
        link = (
            f"{self.served.url}{urlsplit(self.path).path}?recursive=true&cursor={start + 2}"
        )
        following = {"Link": f'<{link}>; rel="next"'} if start + 2 < len(entries) else {}
        self._send_json(entries[start : start + 2], following)

    def _send_json(self, value: Any, headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(value).encode()
        self._begin(200, len(content), headers or {})
        self.wfile.write(content)

    def _redirect(self, path: str) -> None:
        self._begin(302, 0, {"Location": f"{self.served.url}{path}"})

    def _send_file(self, content: bytes, name: str) -> None:
        asked = self.headers.get("Range", "")
        self.served.asked.append((name, asked))
        if self.served.busy:
            self.served.busy -= 1
            self._begin(503, 0, {"Retry-After": "0"})
            return
        if self.served.wants_browsers:
            self._begin(202, 0, {"x-amzn-waf-action": "challenge"})
            return
        if name == self.served.corrupt:
            content = bytes([content[0] ^ 1]) + content[1:]
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        if not self.served.knows_ranges:
            start = 0
        status = 206 if asked and self.served.knows_ranges else 200
        place = f"bytes {start}-{len(content) - 1}/{len(content)}"
        headers = {"Content-Range": place} if status == 206 else {}
        if self.served.link:
            headers["Link"] = self.served.link
        self._begin(status, len(content) - start, headers)
        if self.served.breaks and len(content) - start > PIECE:
            self.served.breaks -= 1
            self.wfile.write(content[start : start + PIECE])
            self.close_connection = True
        else:
            self.wfile.write(content[start:])

    def _begin(self, status: int, n_bytes: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(n_bytes))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _entry(name: str, content: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324
    entry = {"type": "file", "path": name, "size": len(content), "oid": blob}
    if "tar" in name:
        digits = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digits, "size": len(content), "pointerSize": 135}
    return entry


@contextmanager
def serving() -> Iterator[Served]:
    """Yield a server on loopback; it ends with the context."""
    served = Served()
    handler = type("Handler", (_Handler,), {"served": served})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
