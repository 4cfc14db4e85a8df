"""Who issues tokens for a client's name and secret, over TLS, as RFC 6749 says of client credentials."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from pathlib import Path
from urllib.parse import parse_qs

from tests.security.transport.authority import Issuer


@contextmanager
def endpoint(issuer: Issuer, certificate: Path, secrets: dict[str, str]) -> Iterator[str]:
    """Its URL, for as long as the context lasts; `secrets` are those of its clients by their names."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            name, _, secret = base64.b64decode(self.headers["authorization"].split()[1]).decode().partition(":")
            if secrets.get(name) != secret or asked["grant_type"] != ["client_credentials"]:
                self._answer(401, {"error": "invalid_client"})
            else:
                self._answer(200, {"access_token": issuer.token(name), "token_type": "Bearer", "expires_in": 3600})

        def _answer(self, status: int, body: dict[str, object]) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"https://localhost:{server.server_port}/token"
        finally:
            server.shutdown()
            serving.join()
