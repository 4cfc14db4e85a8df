"""Certificates and tokens, right and wrong, made for the tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import RSAAlgorithm

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ISSUER, AUDIENCE = "https://login.example.com", "kafka"


class Authority:
    """A certificate authority that writes what it issues into a folder, as PEM."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.file = folder / "ca.pem"
        folder.mkdir(exist_ok=True)
        self._ca.cert_pem.write_to_path(self.file)

    def server(self, name: str, *identities: str, expired: bool = False) -> Path:
        """A server's certificate with its key, in one file."""
        return self._issued(name, *identities, expired=expired)

    def client(self, name: str, *, expired: bool = False) -> Path:
        """A certificate of somebody called `name`, with its key, in one file."""
        return self._issued(name, name, expired=expired)

    def _issued(self, name: str, *identities: str, expired: bool) -> Path:
        ends = LONG_AGO if expired else None
        issued = self._ca.issue_cert(*identities, common_name=name, not_before=LONG_AGO, not_after=ends)
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        file = self._folder / f"{name}{'-expired' if expired else ''}.pem"
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + b"".join(each.bytes() for each in issued.cert_chain_pems)
        )
        file.chmod(0o600)
        return file


class Issuer:
    """Who signs tokens; `keys` is the file by which they are checked."""

    def __init__(self, folder: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self.keys = folder / "jwks.json"
        self.keys.write_text(json.dumps({"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]}))

    def token(self, name: str, lasting: timedelta = timedelta(hours=1), audience: str = AUDIENCE) -> str:
        """A token of somebody called `name`; with a negative duration, it has expired."""
        now = datetime.now(UTC)
        began = min(now, now + lasting) - timedelta(minutes=1)
        claims = {"sub": name, "iss": ISSUER, "aud": audience, "iat": began, "exp": now + lasting}
        return jwt.encode(claims, self._key, "RS256", headers={"kid": "1"})
