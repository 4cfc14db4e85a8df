"""Why a server lets nobody in, in a sentence that says what to do; never with a secret in it.

What aiokafka meets when it connects it says only in its own log: what its callers get is that no broker was there. Its
line is taken up here and told as one of ours.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Mapping
from time import monotonic

import asyncpg
import structlog
from aiokafka import errors

log = structlog.get_logger(__name__)

_AGAIN_SECONDS = 5.0
"""A server that goes on refusing is reported so often; a client may try ten times a second."""

_UNTRUSTED = (
    "the server's certificate is not from an authority that is trusted here: "
    "KAFKA_SSL_CAFILE, or sslrootcert in DATABASE_URL, names another"
)
_ANOTHER_NAME = "the server's certificate is for another name than the one it is called by in the settings"
_VERIFICATION: Mapping[int, str] = {
    10: "the server's certificate has expired and must be renewed there",
    18: _UNTRUSTED,
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    62: _ANOTHER_NAME,
    64: _ANOTHER_NAME,
}
"""By OpenSSL's code of what is wrong with a certificate."""

_UNWELCOME = (
    "the server does not accept the certificate it is shown: "
    "it has expired, or is not from an authority that the server trusts"
)
_ALERTS: Mapping[str, str] = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server wants to see a certificate: set KAFKA_SSL_CERTFILE",
    "SSLV3_ALERT_BAD_CERTIFICATE": _UNWELCOME,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _UNWELCOME,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _UNWELCOME,
    "TLSV1_ALERT_UNKNOWN_CA": _UNWELCOME,
    "WRONG_VERSION_NUMBER": "the server does not speak TLS there: it is another port, or KAFKA_SECURITY_PROTOCOL",
}
"""By what the server says of the client's certificate."""

_UNPERMITTED = "the user is not permitted to do that; deploy/SECURITY.md says what it needs"
_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (errors.SaslAuthenticationFailed, "the server does not accept the user with this password, or this token"),
    (errors.UnsupportedSaslMechanismError, "the server does not offer KAFKA_SASL_MECHANISM there"),
    (errors.TopicAuthorizationFailedError, _UNPERMITTED),
    (errors.GroupAuthorizationFailedError, _UNPERMITTED),
    (errors.ClusterAuthorizationFailedError, _UNPERMITTED),
    (asyncpg.InvalidPasswordError, "the server does not accept the user with this password"),
    (asyncpg.InvalidAuthorizationSpecificationError, "the server does not let the user in, from here or in this way"),
)
_CLOSED = "the server ends the connection: it is stopping, or wants another KAFKA_SECURITY_PROTOCOL there"


def described(error: BaseException) -> str:
    """What is wrong: where it is a refusal, what to do about it, with the server's or the library's words behind."""
    for each in _causes(error):
        match each:
            case ssl.SSLCertVerificationError(verify_code=code, verify_message=words) if code in _VERIFICATION:
                return f"{_VERIFICATION[code]} ({words.rstrip('.')})"
            case ssl.SSLError(reason=str(words)) if words in _ALERTS:
                return f"{_ALERTS[words]} ({words.lower().replace('_', ' ')})"
            case _:
                for kind, sentence in _KINDS:
                    if isinstance(each, kind):
                        return f"{sentence} ({_words(each)})"
    if isinstance(error, errors.KafkaConnectionError) and str(error).endswith(" closed"):
        return _CLOSED
    return str(error) if isinstance(error, errors.KafkaError) else f"{type(error).__name__}: {error}"


def _words(error: BaseException) -> str:
    """What the server says; of an error without words, its name."""
    match error.args:
        case (str(words), *_):
            return words
    return type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def unreached(error: BaseException) -> bool:
    """Whether the server was not reached at all."""
    return isinstance(error, OSError) and not isinstance(error, (ssl.SSLError, ConnectionResetError, BrokenPipeError))


class Connecting(logging.Filter):
    """Takes up what aiokafka says of connections that failed; `latest` is why a server that is there lets nobody in.

    It is logged unless it is to be `quiet`: for a command, which ends with one sentence.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quiet = False
        self.latest = ""
        self._told: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets pass what is about something else."""
        match record.args:
            case (*server, BaseException() as error) if str(record.msg).startswith("Unable connect"):
                self.latest = "" if unreached(error) else described(error)
                self._tell(":".join(map(str, server)), described(error))
                return False
        return True

    def _tell(self, server: str, error: str) -> None:
        if self.quiet:
            return
        now = monotonic()
        if now - self._told.get((server, error), -_AGAIN_SECONDS) >= _AGAIN_SECONDS:
            self._told[server, error] = now
            log.warning("kafka-not-connected", server=server, error=error)


connecting = Connecting()
logging.getLogger("aiokafka").addFilter(connecting)
