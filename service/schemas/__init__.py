"""The contract as files for others: what lies under `schemas/` in the checkout.

`events` makes the JSON Schema of each event, `asyncapi` the description of all topics, `files` writes
both and says whether they are fresh, `registry` hands the schemas to a schema registry. Examples
(`schemas/examples`) are written by hand and kept true by the tests; `schemas/released` holds what was
released, for the compatibility gate. Not owned here: what the events say (`service.messages`).
"""
