"""One Kafka with every door: SCRAM, certificates, tokens, and one whose certificate has expired; behind them, ACLs."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.helpers import create_ssl_context
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from service.access import Principal
from service.local import kafka
from service.local.process import Guards, free_ports
from tests.security.transport.authority import AUDIENCE, ISSUER, Authority, Issuer

_DOORS = {"SCRAM": "SASL_SSL", "MTLS": "SSL", "OAUTH": "SASL_SSL", "EXPIRED": "SASL_SSL"}
_WITHIN = {"INSIDE": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
_PROPERTIES = """\
listeners = {listeners}
advertised.listeners = {advertised}
listener.security.protocol.map = {protocols}
inter.broker.listener.name = INSIDE

authorizer.class.name = org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users = User:ANONYMOUS

ssl.keystore.type = PEM
ssl.keystore.location = {certificate}
ssl.truststore.type = PEM
ssl.truststore.location = {authority}
listener.name.expired.ssl.keystore.type = PEM
listener.name.expired.ssl.keystore.location = {expired}
listener.name.mtls.ssl.client.auth = required
ssl.principal.mapping.rules = RULE:^.*CN=([^,]+).*$/$1/

listener.name.scram.sasl.enabled.mechanisms = SCRAM-SHA-512,SCRAM-SHA-256
listener.name.scram.scram-sha-512.sasl.jaas.config = {security}.scram.ScramLoginModule required;
listener.name.scram.scram-sha-256.sasl.jaas.config = {security}.scram.ScramLoginModule required;
listener.name.expired.sasl.enabled.mechanisms = SCRAM-SHA-512
listener.name.expired.scram-sha-512.sasl.jaas.config = {security}.scram.ScramLoginModule required;
listener.name.oauth.sasl.enabled.mechanisms = OAUTHBEARER
listener.name.oauth.oauthbearer.connections.max.reauth.ms = 2000
listener.name.oauth.oauthbearer.sasl.jaas.config = {security}.oauthbearer.OAuthBearerLoginModule required;
listener.name.oauth.oauthbearer.sasl.server.callback.handler.class = \
    {security}.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.oauth.oauthbearer.sasl.oauthbearer.jwks.endpoint.url = {keys}
listener.name.oauth.oauthbearer.sasl.oauthbearer.expected.audience = {audience}
listener.name.oauth.oauthbearer.sasl.oauthbearer.expected.issuer = {issuer}
"""


@dataclass(frozen=True)
class Secured:
    """Where its doors are, for a client that goes by the name `localhost`, and who may issue keys to them."""

    inside: str
    doors: dict[str, str]
    authority: Authority
    issuer: Issuer
    passwords: dict[str, str]
    folder: Path

    def permit(self, allowed: Iterable[Principal]) -> None:
        """Grants what these may do, and nothing else."""
        admin = AdminClient({"bootstrap.servers": self.inside})
        bindings = [
            AclBinding(
                ResourceType[grant.resource.upper()],
                grant.name,
                ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL,
                f"User:{principal.name}",
                "*",
                AclOperation[re.sub("(?<=[a-z])(?=[A-Z])", "_", operation).upper()],
                AclPermissionType.ALLOW,
            )
            for principal in allowed
            for grant in principal.grants
            for operation in grant.operations
        ]
        for made in admin.create_acls(bindings).values():
            made.result()

    def connection(self, user: str) -> dict[str, Any]:
        """The arguments of a user's own client at the door for passwords; they share no code with the service."""
        return {
            "bootstrap_servers": self.doors["SCRAM"],
            "security_protocol": "SASL_SSL",
            "ssl_context": create_ssl_context(cafile=self.authority.file),
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_plain_username": user,
            "sasl_plain_password": self.passwords[user],
        }

    def environment(self, door: str, **more: str) -> dict[str, str]:
        """The settings of a client at a door, which come from `more`."""
        trusted = {"KAFKA_SSL_CAFILE": str(self.authority.file)}
        servers = {"KAFKA_BOOTSTRAP_SERVERS": self.doors[door], "KAFKA_SECURITY_PROTOCOL": _DOORS[door]}
        return {**servers, **trusted, **more}


@asynccontextmanager
async def secured(users: Iterable[str]) -> AsyncIterator[Secured]:
    """The broker, for users each with a password of its own."""
    folder = Path(tempfile.mkdtemp(prefix="secured-"))
    guards = Guards(temporary=False, lock=None)
    authority, issuer = Authority(folder / "authority"), Issuer(folder)
    passwords = {user: secrets.token_hex(16) for user in users}
    broker, controller, *ports = free_ports(2 + len(_DOORS))
    outside = [f"{door}://{{host}}:{port}" for door, port in zip(_DOORS, ports, strict=True)]
    listeners = [f"INSIDE://127.0.0.1:{broker}", *(each.format(host="127.0.0.1") for each in outside)]
    properties = _PROPERTIES.format(
        listeners=",".join([*listeners, f"CONTROLLER://127.0.0.1:{controller}"]),
        advertised=",".join([listeners[0], *(each.format(host="localhost") for each in outside)]),
        certificate=authority.server("broker", "localhost"),
        expired=authority.server("broker", "localhost", expired=True),
        authority=authority.file,
        security="org.apache.kafka.common.security",
        protocols=",".join(f"{name}:{protocol}" for name, protocol in (_DOORS | _WITHIN).items()),
        keys=issuer.keys.as_uri(),
        audience=AUDIENCE,
        issuer=ISSUER,
    )
    place = kafka.Place(
        broker,
        controller,
        properties=properties,
        java=(f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={issuer.keys.as_uri()}",),
        format=tuple(
            f"--add-scram={mechanism}=[name={user},password={password}]"
            for user, password in passwords.items()
            for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")
        ),
    )
    try:
        inside = await kafka.start(guards, folder / "kafka", await kafka.classpath(), place)
        doors = {door: f"localhost:{port}" for door, port in zip(_DOORS, ports, strict=True)}
        yield Secured(inside, doors, authority, issuer, passwords, folder)
    finally:
        await guards.stop()
        shutil.rmtree(folder, ignore_errors=True)
