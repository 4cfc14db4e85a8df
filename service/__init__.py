"""Puts a cancelled subscription right: Kafka in, one Postgres transaction, Kafka out.

The way of a message stands in `service.flow`; what a cancellation means, in `service.domain`.
"""

__version__ = "0.2.0.dev0"
