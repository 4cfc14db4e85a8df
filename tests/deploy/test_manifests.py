"""What is deployed agrees with what the service is, and with the cluster's own schemas.

`make manifests` builds kustomize and kubeconform, to render the overlays and hold them to those schemas; where they are
on the PATH or were built before, these tests use them as well.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic_settings import BaseSettings

from service import app
from service.settings import Topics
from tests.deploy import generated
from tests.deploy.generated import KUBERNETES, Manifest
from tests.tools import tool

OVERLAYS = ["production", "small"]
COMPOSE: Manifest = yaml.safe_load(Path("docker-compose.yml").read_text("utf-8"))
DOCKERFILE = Path("Dockerfile").read_text("utf-8")
README = Path("deploy/README.md").read_text("utf-8")
SCHEMAS = "tests/deploy/schemas/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
IMAGE = "subscription-cancellation"
KUSTOMIZE, KUBECONFORM = tool("kustomize"), tool("kubeconform")
rendering = pytest.mark.skipif(
    not (KUSTOMIZE and KUBECONFORM), reason="make manifests builds kustomize and kubeconform"
)


def manifests(folder: Path = KUBERNETES) -> Iterator[Manifest]:
    """All that stands in the files, as it is before kustomize."""
    for file in sorted(folder.rglob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text("utf-8"))


def of(kind: str, among: Iterable[Manifest]) -> list[Manifest]:
    return [manifest for manifest in among if manifest["kind"] == kind]


def pods(among: Iterable[Manifest]) -> list[Manifest]:
    """The pods that run the service's image."""
    return [manifest["spec"]["template"]["spec"] for manifest in among if manifest["kind"] in {"StatefulSet", "Job"}]


def environments() -> list[Manifest]:
    """What is set for each of them by itself, beside what all have in common."""
    return [entry for pod in pods(manifests()) for container in pod["containers"] for entry in container["env"]]


def rendered(overlay: str) -> str:
    assert KUSTOMIZE
    command = [KUSTOMIZE, "build", str(KUBERNETES / "overlays" / overlay)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603  ours


def checked(manifests: str) -> subprocess.CompletedProcess[str]:
    assert KUBECONFORM
    command = [KUBECONFORM, "-strict", "-summary", "-schema-location", SCHEMAS]
    return subprocess.run(command, check=False, input=manifests, capture_output=True, text=True)  # noqa: S603  ours


def settings() -> set[str]:
    """The names of all settings of the service."""

    def below(kind: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
        for found in kind.__subclasses__():
            yield found
            yield from below(found)

    ours = [kind for kind in below(BaseSettings) if kind.__module__.startswith("service.")]
    return {f"{kind.model_config.get('env_prefix', '')}{name}".upper() for kind in ours for name in kind.model_fields}


@rendering
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_overlay_is_what_the_cluster_and_its_operators_take(
    overlay: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = checked(rendered(overlay))
    with capsys.disabled():
        print(f"\n{overlay}: {result.stdout.strip()}")  # noqa: T201  make manifests shows it
    assert result.returncode == 0, result.stdout
    assert "Invalid: 0, Errors: 0, Skipped: 0" in result.stdout


@rendering
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("readOnlyRootFilesystem", "readOnlyRootFileSystem"),
        ("dataDurability: required", "dataDurability: always"),
        ('limitToPartitionsWithLag: "true"', "limitToPartitionsWithLag: true"),
        ("type: scram-sha-512", "type: scram-sha-1024"),
    ],
)
def test_a_slip_in_a_manifest_is_noticed(right: str, wrong: str) -> None:
    manifests = rendered("production")
    assert right in manifests
    assert checked(manifests.replace(right, wrong)).returncode == 1


@rendering
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_names_only_settings_that_it_brings(overlay: str) -> None:
    found = list(yaml.safe_load_all(rendered(overlay)))
    there = {manifest["metadata"]["name"] for manifest in of("ConfigMap", found)}
    named = {ref["name"] for pod in pods(found) for ref in references(pod, "configMapRef", "configMapKeyRef")}
    assert named
    assert named <= there


@rendering
def test_a_topic_has_as_many_replicas_as_the_small_overlay_has_brokers() -> None:
    found = list(yaml.safe_load_all(rendered("small")))
    brokers = sum(pool["spec"]["replicas"] for pool in of("KafkaNodePool", found) if "broker" in pool["spec"]["roles"])
    config = next(
        m["data"] for m in of("ConfigMap", found) if m["metadata"]["name"].startswith("cancellation-settings")
    )
    assert {topic["spec"]["replicas"] for topic in of("KafkaTopic", found)} == {brokers}
    assert config["TOPIC_REPLICATION_FACTOR"] == str(brokers)


@rendering
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_network_is_closed_to_our_pods_only(overlay: str) -> None:
    policies = of("NetworkPolicy", yaml.safe_load_all(rendered(overlay)))
    assert len(policies) >= 4
    for policy in policies:
        assert policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == IMAGE


def references(within: Any, *kinds: str) -> Iterator[Any]:  # noqa: ANN401  it is YAML
    """What is named by these, wherever it stands."""
    if isinstance(within, dict):
        for key, value in within.items():
            if key in kinds:
                yield value
            yield from references(value, *kinds)
    elif isinstance(within, list):
        for value in within:
            yield from references(value, *kinds)


def test_what_is_made_from_the_tables_is_fresh() -> None:
    for path, text in generated.generated().items():
        assert path.read_text("utf-8") == text, f"{path} lags behind: run make manifests"


@pytest.mark.parametrize("path", sorted(Path("deploy").rglob("kustomization.yaml")), ids=lambda path: str(path.parent))
def test_a_kustomization_names_files_that_are_there(path: Path) -> None:
    made = yaml.safe_load(path.read_text("utf-8"))
    named = [*made.get("resources", ()), *made.get("components", ())]
    for generator in made.get("configMapGenerator", ()):
        named += [*generator.get("envs", ()), *generator.get("files", ())]
    assert named
    assert [name for name in named if not (path.parent / name).exists()] == []


def test_everything_set_is_a_setting_of_the_service() -> None:
    composed = [service for service in COMPOSE["services"].values() if service["image"] == IMAGE]
    named = {name for service in composed for name in service["environment"]}
    named |= {entry["name"] for entry in environments()}
    named |= set(generated.environment())
    assert {"INSTANCE_ID", "DATABASE_URL", "CONSUMER_GROUP"} <= named
    assert named <= settings()


def test_every_file_that_a_setting_names_is_mounted() -> None:
    for pod in pods(manifests()):
        (container,) = pod["containers"]
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        values = [entry.get("value", "") for entry in container["env"]]
        if "envFrom" in container:
            values += generated.environment().values()
        named = {path for value in values for path in re.findall(r"(/keys/[\w-]+)/", value)}
        assert named == mounted - {"/tmp"}  # noqa: S108  that of the container
        assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}


def test_every_pod_of_ours_is_without_root_and_rights_on_a_read_only_root() -> None:
    user = int(re.findall(r"USER (\d+):", DOCKERFILE)[0])
    found = pods(manifests())
    assert len(found) == 2
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == user
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        for container in pod["containers"]:
            assert container["image"] == IMAGE
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_probes_metrics_and_pages_are_at_the_port_that_the_image_listens_on() -> None:
    exposed = re.findall(r"EXPOSE (\d+)", DOCKERFILE)
    assert re.findall(r"HTTP_BIND=\S*:(\d+)", DOCKERFILE) == exposed
    assert generated.environment()["HTTP_BIND"].rpartition(":")[2] == exposed[0]
    (worker,) = of("StatefulSet", manifests())
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    assert str(port["containerPort"]) == exposed[0]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": port["name"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    (monitor,) = of("PodMonitor", manifests())
    assert [endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]] == [port["name"]]


def test_a_worker_has_time_to_end_what_it_does() -> None:
    (worker,) = of("StatefulSet", manifests())
    grace = worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > app._DRAIN_SECONDS + 2 * app._CLOSE_SECONDS  # noqa: SLF001  it is what the grace is for


def test_workers_are_added_for_lag_of_what_they_read_and_never_beyond_the_partitions() -> None:
    (scaled,) = of("ScaledObject", manifests())
    watched = {trigger["metadata"]["topic"] for trigger in scaled["spec"]["triggers"]}
    topics = Topics()
    assert watched == {topics.subscription_lifecycle, topics.cancellation_requested}
    assert scaled["spec"]["maxReplicaCount"] <= generated.settings().topic_partitions


def test_the_database_has_the_users_that_the_pods_come_as() -> None:
    (cluster,) = of("Cluster", manifests())
    made = {role["name"] for role in cluster["spec"]["managed"]["roles"]}
    environment = generated.environment()
    assert made == {environment["DATABASE_SERVICE_ROLE"], environment["DATABASE_READER_ROLE"]}
    initdb = cluster["spec"]["bootstrap"]["initdb"]
    urls = [urlsplit(entry["value"]) for entry in environments() if "postgresql://" in entry.get("value", "")]
    assert {url.username for url in urls} == {*made, initdb["owner"]}
    assert {(url.hostname, url.path) for url in urls} == {
        (f"{cluster['metadata']['name']}-rw", f"/{initdb['database']}")
    }
    assert all("sslmode=verify-full" in url.query for url in urls)


def test_compose_and_the_cluster_run_the_same_releases() -> None:
    (kafka,) = of("Kafka", manifests())
    (database,) = of("Cluster", manifests())
    assert COMPOSE["services"]["kafka"]["image"].endswith(f":{kafka['spec']['kafka']['version']}")
    major = COMPOSE["services"]["postgres"]["image"].rpartition(":")[2]
    assert database["spec"]["imageName"].rpartition(":")[2].startswith(f"{major}.")


def test_whoever_deploys_is_told_of_every_secret_that_nobody_makes() -> None:
    users = {user["metadata"]["name"] for user in of("KafkaUser", manifests())}
    made = {*users, "cancellation-kafka-cluster-ca-cert", "cancellation-db-ca", "cancellation-db-app"}
    kinds = ("secretKeyRef", "secretTargetRef", "passwordSecret", "credentials", "secret", "s3Credentials")
    named = set()
    for found in references(list(manifests()), *kinds):
        for one in found if isinstance(found, list) else found.values() if "accessKeyId" in found else [found]:
            named.add(one.get("name") or one.get("secretName"))
    assert {"cancellation-http", "cancellation-db-service"} <= named
    assert [name for name in sorted(named - made) if f"`{name}`" not in README] == []


def test_compose_shows_the_token_to_prometheus_that_the_service_asks_for() -> None:
    (mounted,) = COMPOSE["services"]["prometheus"]["configs"]
    scrape = yaml.safe_load(Path("deploy/prometheus/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    assert [config["authorization"]["credentials_file"] for config in scrape] == [mounted["target"]]
    assert (
        COMPOSE["configs"][mounted["source"]]["content"] == COMPOSE["services"]["service"]["environment"]["HTTP_TOKEN"]
    )
