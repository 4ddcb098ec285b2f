"""A small hub of datasets on loopback: one repository, one commit, a few files."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0fb93dd23a7339b6dcd27e241cb9b5eca62d4d18"


class SmallHub:
    """The server; start() binds a free port of 127.0.0.1 in a thread of its own."""

    def __init__(self, repo: str, files: dict[str, bytes]) -> None:
        self.repo = repo
        self.files = files
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self)

            def do_HEAD(self) -> None:
                hub.answer(self)

            def do_POST(self) -> None:
                hub.answer(self)

            def log_message(self, *_: Any) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> "SmallHub":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        path = request.path.partition("?")[0]
        self.asked.append(f"{request.command} {path}")
        api, resolve = f"/api/datasets/{self.repo}", f"/datasets/{self.repo}/resolve/"
        if path.startswith(resolve):
            revision, _, name = path.removeprefix(resolve).partition("/")
            known = revision in (COMMIT, "main") and name in self.files
            self._send(request, self.files[name] if known else None)
        elif path in (api, f"{api}/revision/main", f"{api}/revision/{COMMIT}"):
            siblings = [{"rfilename": name} for name in self.files]
            told = {"id": self.repo, "sha": COMMIT, "private": False, "siblings": siblings}
            self._send(request, json.dumps(told).encode())
        elif path.startswith(f"{api}/tree/"):
            inside = path.removeprefix(f"{api}/tree/").partition("/")[2]
            self._send(request, None if inside else json.dumps(self._entries(None)).encode())
        elif path.startswith(f"{api}/paths-info/"):
            self._send(request, json.dumps(self._entries(body.decode())).encode())
        else:
            self._send(request, None)

    def _entries(self, wanted: str | None) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            for name, data in self.files.items()
            if wanted is None or name in wanted
        ]

    def _send(self, request: BaseHTTPRequestHandler, body: bytes | None) -> None:
        request.send_response(200 if body is not None else 404)
        data = body or b""
        if body is None:
            request.send_header("X-Error-Code", "EntryNotFound")
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        request.send_header("Content-Length", str(len(data)))
        request.send_header("Content-Type", "application/json")
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)
