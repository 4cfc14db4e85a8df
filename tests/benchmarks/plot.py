"""The figures of the benchmark as a picture, beside them as SVG and PNG."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

from tests.benchmarks.facts import FACTS

_OURS, _OTHER, _LINE = "#2563a8", "#9aa5b1", "#1f2933"
mpl.use("Agg")
mpl.rcParams.update({"svg.hashsalt": "figures", "font.size": 8.5, "axes.spines.top": False, "axes.spines.right": False})


def main(text: str, beside: Path) -> None:
    """Draws four panels, each with its question as its title, from figures as they are kept."""
    figures: Mapping[str, Any] = json.loads(text)
    canvas, panels = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    _throughput(panels[0][0], figures)
    _latency(panels[0][1], figures)
    _growth(panels[1][0], figures)
    _facts(panels[1][1], figures)
    for kind in ("svg", "png"):
        metadata = {"Date": None} if kind == "svg" else None
        canvas.savefig(beside.with_suffix(f".{kind}"), dpi=150, metadata=metadata)
    plt.close(canvas)


def _throughput(panel: Any, figures: Mapping[str, Any]) -> None:  # noqa: ANN401  an axes of matplotlib
    names = {
        "an event a transaction": "per_event_per_s",
        "the service": "events_per_s",
        "no decision at all": "floor_per_s",
    }
    bars = panel.barh([*names], [figures[name] for name in names.values()], color=[_OTHER, _OURS, _OTHER])
    panel.bar_label(bars, fmt="{:,.0f}", padding=3)
    panel.set_title("How many events a second?", loc="left")
    panel.margins(x=0.15)


def _latency(panel: Any, figures: Mapping[str, Any]) -> None:  # noqa: ANN401
    names = {"p50": "p50_ms", "p99": "p99_ms"}
    for place, (kind, prefix, colour) in enumerate(
        (("the service", "", _OURS), ("no decision at all", "floor_", _OTHER))
    ):
        values = [figures[prefix + name] for name in names.values()]
        bars = panel.bar([at + 0.4 * place for at in range(2)], values, 0.38, label=kind, color=colour)
        panel.bar_label(bars, fmt="{:.0f} ms")
    panel.set_xticks([0.2, 1.2], [*names])
    panel.set_yticks([])
    panel.set_title("How long until the last outcome is there?", loc="left")
    panel.legend(frameon=False, loc="upper left")
    panel.margins(y=0.2)


def _growth(panel: Any, figures: Mapping[str, Any]) -> None:  # noqa: ANN401
    sizes = sorted(
        int(name.rpartition("_")[2]) for name in figures if name.startswith("events_per_s_at_") and name[-1].isdigit()
    )
    panel.plot(sizes, [figures[f"events_per_s_at_{size}"] for size in sizes], marker="o", color=_OURS)
    panel.set_xscale("log")
    panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
    panel.minorticks_off()
    panel.set_ylim(0, 1.2 * max(figures[f"events_per_s_at_{size}"] for size in sizes))
    panel.set_title("And with more subscriptions?", loc="left")
    panel.set_ylabel("events a second")
    panel.set_xlabel("subscriptions")


def _facts(panel: Any, figures: Mapping[str, Any]) -> None:  # noqa: ANN401
    panel.plot(FACTS, [figures[f"ms_per_event_at_{facts}_facts"] for facts in FACTS], marker="o", color=_OURS)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(FACTS, [f"{facts:,}" for facts in FACTS])
    panel.minorticks_off()
    panel.set_title("And with a longer history?", loc="left")
    panel.set_ylabel("ms an event, one at a time")
    panel.set_xlabel("facts of the subscription")
