"""The manifests that say what stands elsewhere already: topics, users of Kafka, alerts.

    python -m tests.deploy.generated

writes them anew; the tests prove them fresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from service import access
from service.settings import Settings, Topics
from service.topics import wanted

KUBERNETES = Path("deploy/kubernetes")
ALERTS = Path("deploy/prometheus/alerts.yml")

Manifest: TypeAlias = dict[str, Any]

_CLUSTER = {"strimzi.io/cluster": "cancellation-kafka"}


def environment() -> dict[str, str]:
    """The settings that every overlay begins with."""
    lines = (KUBERNETES / "base/settings.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def settings() -> Settings:
    """Those of them that say how topics are made and what the group is called."""
    given = {name.lower(): value for name, value in environment().items()}
    meant = ("consumer_group", "topic_partitions", "topic_replication_factor")
    return Settings.model_validate({name: given[name] for name in meant})


def generated() -> dict[Path, str]:
    """What each file is to hold."""
    return {
        KUBERNETES / "components/kafka/topics.yaml": _text("service/topics.py", _topics()),
        KUBERNETES / "components/kafka/users.yaml": _text("service/access.py", _users()),
        KUBERNETES / "components/monitoring/rules.yaml": _text(str(ALERTS), [_alerts()]),
    }


def _topics() -> Iterable[Manifest]:
    for topic in wanted(settings(), Topics()):
        spec = {
            "partitions": topic.num_partitions,
            "replicas": topic.replication_factor,
            "config": dict(topic.topic_configs),
        }
        yield _of_kafka("KafkaTopic", topic.name, spec)


def _users() -> Iterable[Manifest]:
    for principal in access.principals(settings(), Topics()):
        if principal.name != "cancellation-topics":  # the operator makes the topics
            spec = {
                "authentication": {"type": "scram-sha-512"},
                "authorization": {"type": "simple", "acls": list(_acls(principal.grants))},
            }
            yield _of_kafka("KafkaUser", principal.name, spec)


def _acls(grants: Iterable[access.Grant]) -> Iterable[Manifest]:
    """One rule for each resource, with all that is granted on it."""

    def resource(grant: access.Grant) -> tuple[str, str, bool]:
        return grant.resource, grant.name, grant.prefixed

    for (kind, name, prefixed), alike in groupby(sorted(grants, key=resource), key=resource):
        yield {
            "resource": {"type": kind, "name": name, "patternType": "prefix" if prefixed else "literal"},
            "operations": sorted({operation for grant in alike for operation in grant.operations}),
        }


def _alerts() -> Manifest:
    rules = yaml.safe_load(ALERTS.read_text("utf-8"))
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "cancellation"},
        "spec": rules,
    }


def _of_kafka(kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": dict(_CLUSTER)},
        "spec": spec,
    }


def _text(source: str, manifests: Iterable[Manifest]) -> str:
    written = yaml.safe_dump_all(manifests, sort_keys=False, width=120, allow_unicode=True, explicit_start=True)
    return f"# Made from {source} by make manifests.\n{written}"


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text, "utf-8")
