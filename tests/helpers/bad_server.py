"""A local HTTP server that serves files in all the ways in which downloads go wrong."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers by what the test put under the path; keeps what was asked."""

    protocol_version = "HTTP/1.1"
    site: "Site"

    def do_GET(self) -> None:
        """Answer."""
        self.site.asked.append((self.path, self.headers.get("Range", "")))
        self.site.answers[self.path](self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def send(self, code: int, body: bytes, *, length: int | None = None, close: bool = False, **headers: str) -> None:
        """Send an answer with headers whose names have underscores for hyphens; `length` may lie."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if close:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)


class _Server(ThreadingHTTPServer):
    """Says nothing about broken connections, which are what is tested."""

    def handle_error(self, *_: object) -> None:
        """Pass over it."""


@dataclass
class Site:
    """What the server serves, and what it was asked: path and Range of each request."""

    address: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def serve(self, path: str, answer: Answer) -> str:
        """Put an answer under a path; return its address."""
        self.answers[path] = answer
        return self.address + path


@contextmanager
def running_site() -> Iterator[Site]:
    """Run a server on this machine while the block runs."""
    site = Site()
    handler = type("SiteHandler", (Handler,), {"site": site})
    server = _Server(("127.0.0.1", 0), handler)
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def whole(data: bytes, etag: str = '"v1"') -> Answer:
    """Serve a file as a good server does, ranges included."""

    def answer(handler: Handler) -> None:
        asked = handler.headers.get("Range")
        if asked and handler.headers.get("If-Range") == etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            content_range = f"bytes {start}-{len(data) - 1}/{len(data)}"
            handler.send(206, data[start:], ETag=etag, Content_Range=content_range)
        else:
            handler.send(200, data, ETag=etag)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Answer differently each time; the last answer stays."""
    left = list(answers)

    def answer(handler: Handler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


def broken_off(data: bytes, after: int, etag: str = '"v1"') -> Answer:
    """Announce a file and end the connection in the middle; go on from a range, and end again so many bytes later."""

    def answer(handler: Handler) -> None:
        asked = handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        part = data[start : start + after]
        headers = {"ETag": etag} if etag else {}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        close = start + after < len(data)
        handler.send(206 if start else 200, part, length=len(data) - start, close=close, **headers)

    return answer
