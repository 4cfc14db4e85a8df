"""The list of faults: what each does, where, and to how many workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos import faults
from tests.chaos.run import Fault

PLAIN, PROXIED, CLUSTER, SMALL_DATABASE, SMALL_BROKER = "plain", "proxied", "cluster", "small database", "small broker"

_POINTS = {
    "within-the-transaction": 0.15,
    "after-commit": 0.15,
    "between-produce-and-acknowledgement": 0.015,
    "before-the-relay-deletes": 0.15,
    "after-the-relay-deletes": 0.15,
    "while-offsets-are-sought": 0.5,
}
_SOONER = 3  # times as likely where each point has its turn only now and then
_WITHIN = "a worker kills itself {}"
_SAID = {
    "within-the-transaction": "with all written and nothing committed",
    "after-commit": "after the commit, before Kafka's offset",
    "between-produce-and-acknowledgement": "3 ms after a record went to the producer",
    "before-the-relay-deletes": "with all acknowledged and nothing deleted",
    "after-the-relay-deletes": "after the outbox has forgotten what was published",
    "while-offsets-are-sought": "as its partitions are assigned",
}
_TOXIC = {
    "down": "connections cut and refused for 1 to 6 s",
    "latency": "0.2 to 1.2 s on every answer, for 4 to 8 s",
    "slow": "30 kB/s both ways, for 4 to 8 s",
    "reset": "every connection reset for 0.5 to 2 s",
    "half-open": "answers swallowed, connections open, for 10 to 20 s",
    "black-hole": "everything swallowed, connections open, for 10 to 20 s",
}


@dataclass(frozen=True)
class Scenario:
    """A fault and its circumstances; `share` is its part of the events asked for."""

    what: str
    fault: Fault
    where: str = PLAIN
    workers: int = 2
    static: bool = True
    points: tuple[str, ...] = ()
    migrated: bool = True
    mixed: bool = False
    share: float = 1
    seconds: float = 0
    environment: Mapping[str, str] = field(default_factory=dict)


def listed() -> dict[str, Scenario]:
    """Every fault there is, by name, in the order of the table."""
    return {
        "kills": Scenario("SIGKILL of workers, broker and database at random", faults.kills, workers=3),
        "kill-worker": Scenario("SIGKILL of workers at random", faults.kill_workers),
        "kill-broker": Scenario("SIGKILL of the broker at random", faults.kill_brokers_often),
        "kill-database": Scenario("SIGKILL of the database at random", faults.kill_database_often),
        **{
            name: Scenario(
                _WITHIN.format(_SAID[name]),
                faults.nothing,
                points=(f"{name}:{chance}",),
                static=name != "while-offsets-are-sought",  # without a place of its own, each death is a rebalance
            )
            for name, chance in _POINTS.items()
        },
        "in-a-migration": Scenario(
            _WITHIN.format("in a migration"), faults.nothing, points=("in-a-migration:0.7",), migrated=False
        ),
        "every-point": Scenario(
            "each named point in turn",
            faults.nothing,
            points=("in-a-migration:0.7", *(f"{name}:{min(1, _SOONER * chance)}" for name, chance in _POINTS.items())),
            migrated=False,
        ),
        "at-start-up": Scenario("SIGKILL within two seconds of a worker's start", faults.at_start_up),
        "zombie": Scenario("SIGSTOP for 12 s (the session is 8 s), SIGCONT", faults.zombie, static=False),
        "rebalances": Scenario("a member joins and leaves every second", faults.rebalances, static=False),
        **{
            f"{way}-{kind}": Scenario(f"toxiproxy to the {way}: {what}", faults.toxic(way, kind), where=PROXIED)
            for way in ("broker", "database")
            for kind, what in _TOXIC.items()
        },
        "database-disk-full": Scenario(
            "no byte left for 6 to 12 s (tmpfs)", faults.disk_full("database"), where=SMALL_DATABASE
        ),
        "broker-disk-full": Scenario(
            "no byte left for 6 to 12 s (tmpfs)", faults.disk_full("broker"), where=SMALL_BROKER
        ),
        "leaders": Scenario(
            "three brokers, RF 3, min.insync 2: SIGKILL of one after the other", faults.leaders, where=CLUSTER
        ),
        "clock": Scenario("the clock stepped by up to two weeks either way", faults.clock),
        "rolling-restart": Scenario("SIGTERM to one worker after the other", faults.rolling_restart),
        "release-before": Scenario(
            "the release before beside this one, on this one's schema", faults.beside, mixed=True
        ),
        "database-outage": Scenario("away for 10 minutes under load", faults.outage("database", 600), seconds=640),
        "broker-outage": Scenario("away for 10 minutes under load", faults.outage("broker", 600), seconds=640),
    }


SHORT = ("kills", "every-point", "release-before")
ON_THEIR_OWN = {"every-point", "database-outage", "broker-outage"}
"""Only when asked for by name: a summary for the short form, and what takes ten minutes each."""
