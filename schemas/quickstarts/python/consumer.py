# /// script
# requires-python = ">=3.11"
# dependencies = ["aiokafka>=0.14,<1", "cloudevents>=2.2,<3"]
# ///
"""Reads what comes of cancellations, until it is stopped.

KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 uv run consumer.py
"""

import asyncio
import os

from aiokafka import AIOKafkaConsumer
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event


def handle(kind: str, data: dict) -> None:
    """What an invoicing side would do; unknown types and fields are passed over."""
    match kind:
        case "cancellation-scheduled":
            print(data["subscription_id"], "ends", data["end_date"], flush=True)
        case "credit-adjustment":
            print(data["subscription_id"], data["direction"], data["amount"], data["currency"], flush=True)


async def main() -> None:
    """Each event at least once; a repeat has the id of the first."""
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
    consumer = AIOKafkaConsumer(
        "cancellation-status",
        "credit-adjustment",
        bootstrap_servers=servers,
        group_id="quickstart-python",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    seen: set[str] = set()  # yours belongs into the database, in the transaction of what is done
    async with consumer:
        async for record in consumer:
            event = from_kafka_event(KafkaMessage(dict(record.headers), record.key, record.value))
            if event.get_id() not in seen:
                handle(event.get_type(), event.get_data())
                seen.add(event.get_id())
            await consumer.commit()


asyncio.run(main())
