"""What a cancellation means: one pure rule over the facts of a subscription's life.

Read in this order: `periods` and `money` (values), `facts` (what others tell us), `subscription`
(the fold), `settlement` (the rule: what the facts say is kept), `decide` (the difference between
that and what has been published), `outcomes`, `laws`, `timeline`.

Invariants

* State is a fold of facts. What to publish is always *settlement now* minus *already published*;
  cancelling, moving, regretting, a late invoice and a void are the same subtraction on more facts.
* Nothing here reads a clock, a database, a setting or a random number; time and rules are arguments.
* Money is an integer of minor units, a period is half-open, a date is local to the subscription.
* Only the standard library and value libraries (`iso4217`) are imported.

Not owned here: the wire format (`service.messages`), storage (`service.store`), and whether an
invoice is paid, refunded or collected: that is the invoicing side's, and reaches us as facts.
"""
