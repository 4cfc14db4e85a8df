"""The wire: CloudEvents over Kafka, and the events in them.

`envelope` reads and writes CloudEvents 1.0 on raw records and never fails on a record: what cannot
be read becomes a reason. `inputs` are the events others send us, `outcomes` those we publish; both
are the source of the JSON Schemas in `schemas/`.

On the wire, money is a decimal string with at most the currency's own decimals, a date is
`YYYY-MM-DD` in the subscription's time zone, an instant is RFC 3339 with an offset, a period is
`{"start", "end"}` with the end outside. Not owned here: what any of it means (`service.domain`).
"""
