"""What support looks at: a subscription's timeline, what each end would come to, and both as JSON.

Invariants

* Read-only: no route takes anything in, transactions only read, and the event of a preview is text to copy.
* A page says what the published timeline says: both are the one `Timeline` of the domain, in the reader's language.
* Reading never takes from deciding: of the worker's connections, pages hold one at a time.
* Pages work without scripts. There is no inline script or style, nothing comes from another host, and every answer
  says so in its headers.
* Nobody comes further than `door` without being a `caller`; what a caller may not see does not exist for them, and the
  database is told whose rows the reading is about.
* Effects are in `reading` and `issuer`; what a page says (`view`, `picture`, `writing`) is worked out from values.

Not owned here: the rule and its amounts (`service.domain`), the sentences of amounts and ends (`service.words`), who is
who (the issuer of the tokens), and whether the worker is well (`service.http`).
"""
