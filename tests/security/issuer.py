"""A real issuer of tokens on 127.0.0.1: its discovery document, its keys, and tokens of any kind."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "cancellation"

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass
class Issuer:
    """Where it is, the keys that it signs with by their ids, what it was asked for, and whether it is away."""

    url: str = ""
    keys: dict[str, Key] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False

    def rotate(self, key_id: str, *, algorithm: str = "RS256") -> None:
        """Signs with a new key from now on, and with the ones before no more."""
        made = (
            rsa.generate_private_key(65537, 2048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())
        )
        self.keys = {key_id: made}

    def token(self, *, key: Any = None, algorithm: str = "RS256", head: Any = None, **claims: Any) -> str:  # noqa: ANN401
        """A token for support of tenant A, with other claims where some are given; None leaves one out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "anna", "iat": now, "exp": now + 300}
        said = {**usual, "tenants": ["A"], "roles": ["reader"], **claims}
        key_id, own = next(iter(self.keys.items()))
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, own if key is None else key, algorithm, {"kid": key_id, **(head or {})})

    def public(self) -> bytes:
        """The public key as a file, as anybody can have it."""
        (key,) = self.keys.values()
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def confused(self) -> str:
        """A token that takes the public key for a secret that both sides have, and signs with that."""
        head = {"alg": "HS256", "typ": "JWT", "kid": next(iter(self.keys))}
        claims = jwt.decode(self.token(), options={"verify_signature": False})
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        signature = hmac.digest(self.public(), signed, hashlib.sha256)
        return b".".join((signed, _encoded(signature))).decode()

    def answer(self, path: str) -> Any:  # noqa: ANN401
        """What it says at a path."""
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return {"keys": [{**_public(key), "kid": key_id, "use": "sig"} for key_id, key in self.keys.items()]}


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that answers while the context lasts."""
    issuer = Issuer()
    issuer.rotate("first")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(issuer.answer(self.path)).encode()
            self.send_response(500 if issuer.away else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        serving = Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            serving.join()


def _public(key: Key) -> dict[str, Any]:
    """A public key as the issuer publishes it."""
    if isinstance(key, rsa.RSAPrivateKey):
        return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "alg": "RS256"}
    return {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "alg": "ES256"}


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")
