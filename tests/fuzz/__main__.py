"""Input as an enemy: `python -m tests.fuzz [COUNT] [SEED]` prints what became of every record.

It exits with 1 if one was lost, or met an error that is not a reason.
COUNT records go against the decoder; one in twenty, done less harm to, also takes the whole way through a batch.
"""

from __future__ import annotations

import resource
import sys
import time

from tests.fuzz.mutations import Enemy
from tests.fuzz.targets import Books, Receiving, decoded, quiet

_BATCH = 50
_HARSH = 950
_LIFE = 20_000
"""So many records long the same subscriptions are played with; then they begin anew."""


def main(count: int, seed: int) -> int:
    """Runs so many records; returns how many failures there were."""
    quiet()
    books, slowest = Books(), (0.0, "")
    decoding = receiving = 0.0
    began = time.monotonic()
    enemy, mild = Enemy(seed), Enemy(seed, harm=0.25)
    path = Receiving(books)
    while books.counts["decoded"] < count:
        batch = [mild.record() for _ in range(_BATCH)]
        block = [enemy.record() for _ in range(_HARSH)] + batch
        start = time.process_time()
        for record in block:
            decoded(record, books)
        decoding += time.process_time() - start
        start = time.process_time()
        path.receive(batch)
        receiving += time.process_time() - start
        slowest = max(slowest, path.slowest)
        if books.counts["received"] % _LIFE < _BATCH:
            path = Receiving(books)
        if books.counts["decoded"] % 100_000 == 0:
            done, spent = books.counts["decoded"], time.monotonic() - began
            sys.stderr.write(f"\r{done} of {count}, {done / spent:.0f} a second, {len(books.failures)} failures")
            sys.stderr.flush()
    sys.stderr.write("\n")
    figures = {
        "seed": seed,
        **dict(sorted(books.counts.items())),
        "decoder_records_a_cpu_second": round(books.counts["decoded"] / decoding),
        "batch_records_a_cpu_second": round(books.counts["received"] / receiving),
        "records_a_second_in_all": round(count / (time.monotonic() - began)),
        "slowest_decision_ms": round(slowest[0] * 1000, 1),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "failures": books.counts["failures"],
    }
    sys.stdout.write("".join(f"{name}: {figure}\n" for name, figure in figures.items()))
    sys.stdout.write("".join(f"! {failure}\n" for failure in books.failures))
    sys.stderr.write(f"slowest decision: {slowest[1]}\n")
    return books.counts["failures"]


if __name__ == "__main__":
    sys.exit(
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, int(sys.argv[2]) if len(sys.argv) > 2 else 0) > 0
    )
