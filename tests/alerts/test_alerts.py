"""Alerts and dashboard: what they ask for is there, and each alert fires when it should and at no other time.

`make alerts` builds promtool, Prometheus' own checker; one on the PATH or built before is used by these tests as well.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.conftest import Running
from tests.scraping import once_it_has_looked
from tests.tools import tool

RULES, DASHBOARD = Path("deploy/prometheus/alerts.yml"), Path("deploy/grafana/dashboard.json")
RUNBOOK = Path("deploy/RUNBOOK.md").read_text("utf-8")
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
PROMTOOL = tool("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="there is no promtool on the PATH, and make alerts has built none"
)

RISING = "0+60x120"
"""One a second, as series of Prometheus' tests are written: a minute apart for two hours."""

BROUGHT_ABOUT: dict[str, dict[str, str]] = {
    "CancellationDatabaseAway": {"cancellation_database_up": "1x5 0x115"},
    "CancellationKafkaAway": {"cancellation_kafka_up": "1x5 0x115"},
    "CancellationLoopStopped": {'cancellation_loop_last_success_timestamp_seconds{loop="clock"}': "0+60x100 6000x20"},
    "CancellationLagging": {
        'cancellation_consumer_lag_records{topic="requested"}': "20000x120",
        'cancellation_events_consumed_total{topic="requested"}': RISING,
    },
    "CancellationPartitionStuck": {'cancellation_consumer_lag_records{topic="requested"}': "0x60 3x60"},
    "CancellationOutboxOld": {"cancellation_outbox_oldest_age_seconds": "0x60 0+60x60"},
    "CancellationOutboxFull": {"cancellation_outbox_full_total": RISING},
    "CancellationSubscriptionsHeld": {"cancellation_held_subscriptions": "0x60 1x60"},
    "CancellationBooksOutOfBalance": {"cancellation_books_out_of_balance_subscriptions": "0x60 1x60"},
    "CancellationEndsLate": {"cancellation_due_oldest_age_seconds": "0x60 0+60x60"},
    "CancellationReadingFailed": {'cancellation_dead_letters_total{reason="reading-failed"}': "0x115 1x5"},
    "CancellationDeadLetters": {'cancellation_dead_letters_total{reason="malformed"}': "0x100 1x20"},
    "CancellationRetrying": {'cancellation_retries_total{what="process"}': RISING},
    "CancellationRebalancing": {"cancellation_rebalances_total": RISING},
    "CancellationSlow": {
        'cancellation_transaction_duration_seconds_bucket{kind="batch",le="+Inf"}': RISING,
        'cancellation_transaction_duration_seconds_bucket{kind="batch",le="10.0"}': RISING,
    },
    "CancellationRefusalsMany": {
        'cancellation_refusals_total{code="already-ended"}': "0+20x120",
        'cancellation_events_decided_total{type="cancellation-requested"}': RISING,
    },
    "CancellationAdjustmentsOpen": {"cancellation_open_adjustment_oldest_age_seconds": "700000x120"},
}
"""What the service's series do when an alert is due, all others standing still."""


@pytest.fixture(scope="module")
async def scraped(running: Running) -> list[Sample]:
    """What the running service exposes, once it has looked at its lag."""
    families = text_string_to_metric_families(await once_it_has_looked(running.http))
    return [sample for family in families for sample in family.samples if not sample.name.endswith("_created")]


def selectors(expression: str) -> set[str]:
    """The names of the metrics that an expression reads, once Prometheus' own grammar has taken it."""
    parsed = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    assert parsed is not None
    return set(re.findall(r"\b(?:cancellation|process|python)_\w+", expression))


def queries() -> Iterator[tuple[str, str]]:
    """Every expression of alerts and dashboard, with where it stands."""
    yield from ((alert["alert"], alert["expr"]) for alert in ALERTS)
    yield from ((panel["title"], target["expr"]) for panel in PANELS for target in panel.get("targets", ()))


# Series that a service has only once something has happened.
LATER = {
    "cancellation_events_consumed_total",
    "cancellation_events_decided_total",
    "cancellation_records_published_total",
}


@pytest.mark.parametrize(("where", "expression"), [*queries()])
def test_every_expression_reads_what_the_service_exposes(where: str, expression: str, scraped: list[Sample]) -> None:
    names = selectors(expression)
    assert names, where
    assert names <= {sample.name for sample in scraped} | LATER, where
    for name, label, values in re.findall(r'(cancellation_\w+){(\w+)="([\w-]+)"', expression):
        assert values in {sample.labels.get(label) for sample in scraped if sample.name == name}, where


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_says_how_bad_it_is_and_has_its_paragraph(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["runbook_url"] == f"deploy/RUNBOOK.md#{alert['alert'].lower()}"
    assert len(re.findall(rf"^## {alert['alert']}\n\n\S", RUNBOOK, re.MULTILINE)) == 1


def test_the_runbook_has_no_paragraph_too_many() -> None:
    assert re.findall(r"^## (Cancellation\w+)$", RUNBOOK, re.MULTILINE) == [alert["alert"] for alert in ALERTS]


def test_panels_lie_beside_each_other_and_say_what_they_show() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["type"] == "row" or (
            panel["description"].endswith(".") and panel["fieldConfig"]["defaults"]["unit"]
        )


def grafana_reads(dashboard: Any) -> Any:  # noqa: ANN401  JSON
    """The dashboard as Grafana's own model of it writes it again: with what the model knows, and nothing else."""
    register_default_plugins()
    return json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))


def lost(given: Any, read: Any, at: str = "") -> Iterator[str]:  # noqa: ANN401  JSON
    """Where something that was given has not been read."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            yield from lost(value, read[name], f"{at}.{name}") if name in read else [f"{at}.{name}"]
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for number, (one, other) in enumerate(zip(given, read, strict=True)):
            yield from lost(one, other, f"{at}[{number}]")
    elif given != read:
        yield at


def test_grafanas_own_model_knows_every_field_of_the_dashboard() -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    assert list(lost(dashboard, grafana_reads(dashboard))) == []


def test_a_field_that_grafana_does_not_know_is_found() -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    dashboard["panels"][1]["gridPosition"] = dashboard["panels"][1].pop("gridPos")
    dashboard["panels"][2]["targets"][0]["expression"] = "up"
    found = list(lost(dashboard, grafana_reads(dashboard)))
    assert found == [".panels[1].gridPosition", ".panels[2].targets[0].expression"]


@needs_promtool
def test_prometheus_itself_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    written = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (_, expression) in enumerate(queries())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": written}]}), "utf-8")
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "check", "rules", str(file)], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(written)} rules found" in done.stdout


def test_every_alert_is_brought_about_below() -> None:
    assert {alert["alert"] for alert in ALERTS} == {*BROUGHT_ABOUT, "CancellationWorkersGone"}


@needs_promtool
@pytest.mark.parametrize("alert", [None, "CancellationWorkersGone", *BROUGHT_ABOUT])
def test_each_alert_fires_when_it_should_and_no_other_with_it(
    alert: str | None, scraped: list[Sample], tmp_path: Path
) -> None:
    changed = BROUGHT_ABOUT.get(alert or "", {})
    for series in changed:
        name = series.partition("{")[0]
        assert name in {sample.name for sample in scraped} | LATER
    standing = {} if alert == "CancellationWorkersGone" else {_series(s): f"{s.value}x120" for s in scraped if _calm(s)}
    moving = {_named(series): values for series, values in changed.items()}
    _holds(tmp_path, "1m", standing | moving, {"2h": set() if alert is None else {alert}})


@needs_promtool
def test_a_worker_that_starts_with_records_waiting_raises_nothing(tmp_path: Path) -> None:
    """Its first scrapes show a lag, and nothing decided yet."""
    series = {
        'cancellation_build_info{instance="worker"}': "_x20 1x100",
        'cancellation_consumer_lag_records{instance="worker",partition="0",topic="requested"}': "_x20 5000x3 2000 0x96",
        'cancellation_events_consumed_total{instance="worker",topic="requested"}': "_x23 500 3500 5500x96",
    }
    _holds(tmp_path, "15s", series, {at: set() for at in ("5m", "5m15s", "5m30s", "6m", "7m", "8m", "15m")})


def _holds(folder: Path, interval: str, series: Mapping[str, str], firing: Mapping[str, set[str]]) -> None:
    """Of such series promtool says that these alerts fire at these times, and no others."""
    case = {
        "rule_files": [str(RULES.resolve())],
        "evaluation_interval": interval,
        "tests": [
            {
                "interval": interval,
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
                        "eval_time": at,
                        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)],
                    }
                    for at, names in firing.items()
                ],
            }
        ],
    }
    file = folder / "alerts.test.yml"
    file.write_text(json.dumps(case), "utf-8")
    assert PROMTOOL is not None
    for arguments in (("check", "rules", str(RULES)), ("test", "rules", str(file))):
        done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_what_compose_gives_it() -> None:
    command = ["check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"]  # its token is in the container
    done = subprocess.run([str(PROMTOOL), *command], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr


def _calm(sample: Sample) -> bool:
    """What stands still while the service has nothing to do; when loops last worked does not."""
    return sample.name.startswith("cancellation_") and not sample.name.startswith("cancellation_loop")


def _series(sample: Sample) -> str:
    return _written(sample.name, sample.labels)


def _named(series: str) -> str:
    name, _, labels = series.partition("{")
    return _written(name, dict(re.findall(r'(\w+)="([^"]*)"', labels)))


def _written(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in sorted({**labels, "instance": "worker"}.items()))
    return f"{name}{{{inside}}}"
