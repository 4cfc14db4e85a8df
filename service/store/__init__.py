"""State in Postgres: what one transaction reads and writes, and what the relay takes from it.

Invariants

* Offsets, inbox, subscriptions, facts and outbox of a batch change in one transaction or not at all.
* Rows are locked in one order everywhere (offsets, inbox, subscriptions by key), so workers wait and do not deadlock.
  A policy alone reaches for rows beyond its batch: where two then wait for each other, Postgres ends one, and it is
  tried again.
* The service changes no table and owns none; what only their owner may do, `rotate_inbox` does for it (`roles`).
* SQL is static and stands beside the function that runs it; nothing is decided here.

Not owned here: what a state means (`service.domain`), and when a transaction runs (`service.flow`).
"""
