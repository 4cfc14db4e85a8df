"""Makes tests/deploy/schemas: the JSON Schemas that kubeconform holds the manifests to, for the kinds they use.

    python -m tests.deploy.vendor swagger.json crd.yaml …

`swagger.json` is api/openapi-spec/swagger.json of Kubernetes, the others are the resource definitions of its operators;
tests/deploy/schemas/README.md says of which releases. What only explains is left out, and what is not named is refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path("tests/deploy/schemas")
KUBERNETES = {
    "ConfigMap": "v1",
    "Job": "batch/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "Secret": "v1",
    "Service": "v1",
    "ServiceAccount": "v1",
    "StatefulSet": "apps/v1",
}
"""The kinds of Kubernetes itself, each with its apiVersion."""


def main(swagger: str, *definitions: str) -> None:
    """Writes one file for each kind."""
    for api_version, kind, schema in (*_kubernetes(Path(swagger)), *_custom(*map(Path, definitions))):
        group, _, version = api_version.rpartition("/")
        file = SCHEMAS / (group or version) / f"{kind}_{version}.json".lower()
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n", "utf-8")


def _kubernetes(swagger: Path) -> Iterator[tuple[str, str, Any]]:
    known = json.loads(swagger.read_text("utf-8"))["definitions"]
    for schema in known.values():
        for named in schema.get("x-kubernetes-group-version-kind", ()):
            api_version = f"{named['group']}/{named['version']}".lstrip("/")
            if KUBERNETES.get(named["kind"]) == api_version:
                yield api_version, named["kind"], _compact(schema, known)


def _custom(*definitions: Path) -> Iterator[tuple[str, str, Any]]:
    for file in definitions:
        spec = yaml.safe_load(file.read_text("utf-8"))["spec"]
        for version in spec["versions"]:
            api_version = f"{spec['group']}/{version['name']}"
            yield api_version, spec["names"]["kind"], _compact(version["schema"]["openAPIV3Schema"], {}, top=True)


def _compact(schema: Any, known: dict[str, Any], *, top: bool = False) -> Any:  # noqa: ANN401  it is JSON
    """The schema without prose and references, closed to what it does not name."""
    if isinstance(schema, list):
        return [_compact(part, known) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _compact(known[schema["$ref"].removeprefix("#/definitions/")], known)
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    made = {
        key: {name: _compact(part, known) for name, part in value.items()}
        if key == "properties"
        else _compact(value, known)
        for key, value in schema.items()
        if not key.startswith("x-kubernetes-") and key not in {"description", "default", "example", "format"}
    }
    if top:  # as every object has it, and no definition of a resource says
        made["properties"] = {**made["properties"], "metadata": {"type": "object"}}
    if "properties" in made and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


if __name__ == "__main__":
    main(*sys.argv[1:])
