"""Known vulnerabilities in what is locked, by pip-audit: `make audit`, and part of `make check`.

    python -m tests.supply.audit

Asks PyPI, and where that cannot tell, OSV. Ends with 1 if anything is known. Where neither can be asked, nothing is
known and nothing is claimed: that is said in so many words, and is no reason to stop.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

LOCKS = (Path("requirements-dev.txt"),)
_SERVICES = ("pypi", "osv")
_SECONDS = 300


@dataclass
class Audit:
    """How many distributions were looked up, what is known of them, and who could not be asked about how many."""

    looked_up: int = 0
    known: list[str] = field(default_factory=list)
    unanswered: dict[str, str] = field(default_factory=dict)


def read(service: str, code: int, out: str, err: str, audit: Audit) -> bool:
    """Takes in what pip-audit said; whether its service could tell of everything."""
    try:
        dependencies = json.loads(out)["dependencies"]
    except (ValueError, KeyError):
        lines = err.strip().splitlines()
        audit.unanswered[service] = lines[-1][:80] if lines else f"pip-audit ended with {code}"
        return False
    skipped = [each for each in dependencies if "skip_reason" in each]
    audit.looked_up = max(audit.looked_up, len(dependencies) - len(skipped))
    for each in dependencies:
        for found in each.get("vulns", ()):
            fixed = ", ".join(found["fix_versions"]) or "no version yet"
            audit.known.append(f"{each['name']} {each['version']}: {found['id']}, fixed in {fixed}")
    if skipped:
        audit.unanswered[service] = f"does not know {len(skipped)} of {len(dependencies)} distributions"
    return not skipped


def ask(service: str, lock: Path) -> tuple[int, str, str]:
    """Runs pip-audit on a lock; its exit code and what it wrote."""
    options = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--vulnerability-service", service]
    try:
        done = subprocess.run(  # noqa: S603  our own command
            [*command, *options], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"no answer within {_SECONDS} seconds"
    return done.returncode, done.stdout, done.stderr


def told(audit: Audit, *, whole: bool) -> str:
    """The result in words."""
    if audit.known:
        return "\n".join([*sorted(set(audit.known)), "Known vulnerabilities: run make lock UPGRADE=1."])
    if whole:
        return f"No known vulnerability in {audit.looked_up} distributions."
    why = "; ".join(f"{service}: {reason}" for service, reason in audit.unanswered.items())
    if audit.looked_up:
        return f"No known vulnerability in {audit.looked_up} distributions; the rest was NOT AUDITED ({why})."
    return f"NOT AUDITED: no service for vulnerabilities could be asked ({why})."


def main() -> int:
    """Audits every lock, and says what came of it."""
    ended = 0
    for lock in LOCKS:
        audit = Audit()
        whole = any(read(service, *ask(service, lock), audit) for service in _SERVICES)
        sys.stdout.write(f"{told(audit, whole=whole)}\n")
        ended |= bool(audit.known)
    return ended


if __name__ == "__main__":
    sys.exit(main())
