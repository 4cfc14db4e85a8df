"""Settings that contradict each other end the start with one sentence, and no setting shows a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.settings import SettingsError, load

SCRAM = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": "me"}
OAUTH = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"}
ISSUER = {"KAFKA_OAUTH_TOKEN_ENDPOINT": "https://login.example.com/token", "KAFKA_OAUTH_CLIENT_ID": "me"}
HERE = str(Path(__file__))
SECRET = "what-nobody-is-to-see"  # noqa: S105  it is none
CONTRADICTIONS: dict[str, tuple[dict[str, str], str]] = {
    "a mechanism is missing": ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "needs KAFKA_SASL_MECHANISM"),
    "a mechanism without encryption": (SCRAM | {"KAFKA_SECURITY_PROTOCOL": "SSL"}, "needs KAFKA_SECURITY_PROTOCOL"),
    "a password in the clear": (
        {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"},
        "PROTOCOL cannot be used",
    ),
    "an authority without encryption": ({"KAFKA_SSL_CAFILE": HERE}, "need KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL"),
    "an authority that is not there": ({"KAFKA_SSL_CAFILE": "/nowhere"}, "KAFKA_SSL_CAFILE cannot be used"),
    "a key without its certificate": (
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEYFILE": HERE},
        "KAFKA_SSL_CERTFILE is missing",
    ),
    "no password": (SCRAM, "SCRAM needs KAFKA_SASL_USERNAME"),
    "two passwords": (SCRAM | {"KAFKA_SASL_PASSWORD": SECRET, "KAFKA_SASL_PASSWORD_FILE": HERE}, "are both set"),
    "a password for nothing": ({"KAFKA_SASL_PASSWORD": SECRET}, "need KAFKA_SASL_MECHANISM=SCRAM"),
    "no token": (OAUTH, "OAUTHBEARER needs"),
    "two ways to a token": (OAUTH | {"KAFKA_OAUTH_TOKEN_FILE": HERE} | ISSUER, "are both set"),
    "a token for nothing": ({"KAFKA_OAUTH_TOKEN_FILE": HERE}, "need KAFKA_SASL_MECHANISM=OAUTHBEARER"),
    "an issuer without a secret": (OAUTH | ISSUER, "needs KAFKA_OAUTH_CLIENT_ID"),
    "two secrets": (
        OAUTH | ISSUER | {"KAFKA_OAUTH_CLIENT_SECRET": SECRET, "KAFKA_OAUTH_CLIENT_SECRET_FILE": HERE},
        "are both set",
    ),
    "a secret for nobody": (
        OAUTH | {"KAFKA_OAUTH_TOKEN_FILE": HERE, "KAFKA_OAUTH_CLIENT_SECRET": SECRET},
        "need KAFKA_OAUTH_TOKEN_ENDPOINT",
    ),
    "two database passwords": ({"DATABASE_PASSWORD": SECRET, "DATABASE_PASSWORD_FILE": HERE}, "are both set"),
    "a URL that is none, for its password": (
        {"DATABASE_URL": f"postgresql://me:{SECRET}/more@localhost/db"},
        "DATABASE_URL cannot be used",
    ),
}


@pytest.mark.parametrize("given", CONTRADICTIONS)
def test_what_cannot_be_together_is_said_in_one_sentence(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment, sentence = CONTRADICTIONS[given]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load()
    said = str(error.value)
    assert sentence in said
    assert "\n" not in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://localhost/db",
        "postgres://me:p%40ss@db.example.com:5432/db?sslmode=verify-full&sslrootcert=/secrets/ca.pem",
        "postgresql://me@[::1]:5432,second.example.com:5433/db",
        "postgresql:///db?host=/var/run/postgresql",
    ],
)
def test_every_url_that_libpq_takes_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert load()[0].database_url == url


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SCRAM | {"KAFKA_SASL_PASSWORD": SECRET, "DATABASE_PASSWORD": SECRET}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://me:{SECRET}@localhost/db")
    settings, _ = load()
    assert settings.kafka_keys.password() == settings.database_keys.secret() == SECRET
    assert SECRET not in f"{settings!r} {settings}"
