# /// script
# requires-python = ">=3.11"
# dependencies = ["aiokafka>=0.14,<1", "cloudevents>=2.2,<3"]
# ///
"""Sends one subscription, its invoice and its cancellation.

KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 uv run producer.py S1
"""

import asyncio
import os
import sys
from datetime import UTC, date, datetime, timedelta

from aiokafka import AIOKafkaProducer
from cloudevents.core.bindings.kafka import to_binary_event
from cloudevents.core.v1.event import CloudEvent


def events(subscription: str) -> list[tuple[str, str, dict]]:
    """Topic, type and data of each event."""
    start = date.today()  # noqa: DTZ011
    period = {"start": f"{start}", "end": f"{start + timedelta(days=30)}"}
    agreement = {
        "subscription_id": subscription,
        "customer_id": "C1",
        "currency": "DKK",
        "time_zone": "Europe/Copenhagen",
        "start_date": f"{start}",
        "interval": "P30D",
        "lines": [{"line_id": "paper", "amount": "300.00", "description": "The paper"}],
    }
    charge = {"charge_id": f"{subscription}-1", "line_id": "paper", "period": period, "amount": "300.00"}
    invoice = {"subscription_id": subscription, "invoice_id": f"{subscription}-I1", "charges": [charge]}
    end = {"mode": "on-date", "date": f"{start + timedelta(days=20)}"}  # the first day that is not active
    request = {"subscription_id": subscription, "end": end, "requested_by": "customer"}
    return [
        ("subscription-lifecycle", "subscription-activated", agreement),
        ("subscription-lifecycle", "invoice-issued", invoice),
        ("cancellation-requested", "cancellation-requested", request),
    ]


async def main(subscription: str) -> None:
    """Sends them, each acknowledged before the next."""
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
    async with AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True) as producer:
        for topic, kind, data in events(subscription):
            attributes = {
                "id": f"{subscription}-{kind}",  # sent again with the same id, it counts once
                "source": "/quickstart",
                "type": kind,
                "time": datetime.now(UTC),
                "datacontenttype": "application/json",
                "partitionkey": subscription,  # becomes the record's key: one subscription, one partition
            }
            message = to_binary_event(CloudEvent(attributes, data))
            key = subscription.encode()
            await producer.send_and_wait(topic, message.value, key, headers=list(message.headers.items()))
            print("sent", kind, flush=True)


asyncio.run(main(sys.argv[1]))
