"""The description of all topics in AsyncAPI 3: who writes what where, with which key and headers.

Names of topics, their partitions and their retention are the defaults of the settings, whatever the
environment says. Schemas are referred to, not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service import topics
from service.messages.envelope import CARRIED
from service.messages.inputs import INPUTS, LONGEST_ID, LONGEST_TRACE
from service.messages.notation import GIVEN_INSTANT, INSTANT
from service.messages.outcomes import OUTCOMES
from service.schemas.events import file_name
from service.settings import Settings, Topics

Node = dict[str, Any]
BINDING = "0.5.0"
"""Of Kafka's bindings."""
DEAD_LETTER = "dead-letter"

_SETTINGS, _TOPICS = Settings.model_construct(), Topics.model_construct()
_COMMANDS = ("cancellation-requested", "cancellation-moved", "cancellation-revoked")
_POLICY = "cancellation-policy-set"
_CHANNELS: dict[str, str] = {
    "subscription-lifecycle": "What happens in a subscription's life, from whoever keeps it and bills it.",
    "cancellation-requested": "How subscriptions are to end: requested, moved, taken back.",
    "cancellation-policy": "The merchants' policies, each the whole one; the latest holds from its time on.",
    "period-shortened": "Billing periods that end early, or are given back.",
    "renewal-cancelled": "Renewals that do not come, or come after all.",
    "credit-adjustment": "Issued charges that are to be credited or debited.",
    "cancellation-status": "What became of each request, and that a subscription has ended.",
    "subscription-timeline": "The whole timeline of each subscription after each change.",
    "cancellation-dead-letter": "Records that could not be read or taken in, as they were, with the reason.",
}
_ABOUT = """\
Cancels subscriptions: reads their life and how they are to end, and publishes what is shortened, what stops and what \
is given back. Events are CloudEvents 1.0: in binary mode here, with attributes as ce_ headers and the data as the \
value; what is read may be in structured mode as well. Outcomes come at least once, in order per subscription once \
repeated ids are dropped; a repeat has the same id. Unknown fields are to be ignored."""


def topic_of(event_type: str) -> str:
    """The default name of the topic that a type of event goes over."""
    if event_type in OUTCOMES:
        return OUTCOMES[event_type][0]
    if event_type == _POLICY:
        return "cancellation-policy"
    return "cancellation-requested" if event_type in _COMMANDS else "subscription-lifecycle"


def document(examples: Mapping[str, list[Node]]) -> Node:
    """The whole description.

    Args:
        examples: of each type of event, in AsyncAPI's own form.
    """
    messages = {name: _message(name, examples[name]) for name in (*INPUTS, *OUTCOMES)}
    structured = {_structured_name(name): _structured(name) for name in _inputs()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Subscription cancellation",
            "version": "1.0.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The Kafka that KAFKA_BOOTSTRAP_SERVERS names.",
                "variables": {"bootstrap": {"default": _SETTINGS.kafka_bootstrap_servers}},
            }
        },
        "channels": {name: _channel(name) for name in _CHANNELS},
        "operations": {name: _operation(name) for name in _CHANNELS},
        "components": {"messages": {**messages, **structured, DEAD_LETTER: _dead_letter()}},
    }


def _inputs() -> list[str]:
    return [name for name in _CHANNELS if name in _TOPICS.inputs]


def _carried(channel: str) -> list[str]:
    """The messages of a channel."""
    types = [name for name in (*INPUTS, *OUTCOMES) if topic_of(name) == channel]
    return [*types, _structured_name(channel)] if channel in _inputs() else types or [DEAD_LETTER]


def _channel(name: str) -> Node:
    (topic,) = (each for each in topics.wanted(_SETTINGS, _TOPICS) if each.name == name)
    given = topic.topic_configs
    configuration = {key: [given[key]] if key == "cleanup.policy" else int(given[key]) for key in sorted(given)}
    return {
        "address": name,
        "description": f"{_CHANNELS[name]} The name is the default of TOPIC_{name.upper().replace('-', '_')}.",
        "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in _carried(name)},
        "bindings": {
            "kafka": {
                "topic": name,
                "partitions": topic.num_partitions,
                "replicas": topic.replication_factor,
                "topicConfiguration": configuration,
                "bindingVersion": BINDING,
            }
        },
    }


def _operation(name: str) -> Node:
    made: Node = {
        "action": "receive" if name in _inputs() else "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": _CHANNELS[name],
        "messages": [{"$ref": f"#/channels/{name}/messages/{each}"} for each in _carried(name)],
    }
    if name in _inputs():
        group = {"type": "string", "enum": [_SETTINGS.consumer_group], "description": "The default of CONSUMER_GROUP."}
        made["bindings"] = {"kafka": {"groupId": group, "bindingVersion": BINDING}}
    return made


def _message(name: str, examples: list[Node]) -> Node:
    model = INPUTS[name] if name in INPUTS else OUTCOMES[name][1]
    return {
        "name": name,
        "summary": " ".join((model.__doc__ or "").split()),
        "contentType": "application/json",
        "headers": _headers(name),
        "payload": {"$ref": f"events/{file_name(name)}"},
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {"kafka": {"key": _key(name), "bindingVersion": BINDING}},
        "examples": examples,
    }


def _key(name: str) -> Node:
    if name == _POLICY:
        return _text("The tenant id.")
    if name in INPUTS:
        return _text("Anything that keeps one subscription on one partition; best its id.")
    return _text("<tenant_id>:<subscription_id>")


def _headers(name: str) -> Node:
    given: Node = {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": _text("Names the event, together with its source; sending it again does nothing.", LONGEST_ID),
        "ce_source": _text("Who sends it.", LONGEST_ID),
        "ce_type": {"type": "string", "const": name},
        "ce_subject": _text("The tenant id." if name == _POLICY else "The subscription id."),
        "content-type": {"type": "string", "const": "application/json"},
    }
    asked = ["ce_specversion", "ce_id", "ce_source", "ce_type"]
    time = _text("An RFC 3339 instant: when it happened, or when the customer asked; without it, the record's own.")
    given["ce_time"] = {**time, "format": "date-time", "pattern": INSTANT if name in OUTCOMES else GIVEN_INSTANT}
    if name in OUTCOMES:
        given["ce_source"] = {"type": "string", "const": "subscription-cancellation"}
        given["ce_time"]["description"] = "An RFC 3339 instant: when it was decided."
        given["ce_causationid"] = _text("The id of the event that caused it, or clock.")
        asked += ["ce_time", "ce_subject", "ce_causationid", "content-type"]
    for carried in CARRIED:
        told = _text("Carried from the event that came in to the outcomes of it.", LONGEST_TRACE)
        given |= {f"ce_{carried}": told, **({} if carried == "correlationid" and name in OUTCOMES else {carried: told})}
    return {"type": "object", "properties": given, "required": asked}


def _structured_name(channel: str) -> str:
    return f"{channel}-structured"


def _structured(channel: str) -> Node:
    types = [name for name in INPUTS if topic_of(name) == channel]
    traces = {name: _text("Carried to the outcomes.", LONGEST_TRACE) for name in CARRIED}
    attributes = {
        "specversion": {"type": "string", "const": "1.0"},
        "id": _text("Names the event, together with its source.", LONGEST_ID),
        "source": _text("Who sends it.", LONGEST_ID),
        "type": {"type": "string", "enum": types, "description": "Says which schema the data has."},
        "time": {**_text("When it happened."), "format": "date-time", "pattern": GIVEN_INSTANT},
        **traces,
        "data": {
            "type": "object",
            "description": "What has happened, as the schema of its type has it.",
            "anyOf": [{"$ref": f"events/{file_name(name)}"} for name in types],
        },
    }
    content_type = {"type": "string", "pattern": "^application/cloudevents"}
    return {
        "name": _structured_name(channel),
        "summary": "Any event of this topic as a CloudEvent in structured mode: attributes and data in one value.",
        "contentType": "application/cloudevents+json",
        "headers": {"type": "object", "properties": {"content-type": content_type}, "required": ["content-type"]},
        "payload": {
            "type": "object",
            "properties": attributes,
            "required": ["specversion", "id", "source", "type", "data"],
        },
        "bindings": {"kafka": {"key": _key(types[0]), "bindingVersion": BINDING}},
    }


def _dead_letter() -> Node:
    reasons = {
        "dlq_reason": "Why, for machines.",
        "dlq_error": "Why, for people.",
        "dlq_topic": "The topic that the record came from.",
        "dlq_partition": "The partition that it came from.",
        "dlq_offset": "The offset that it had there.",
    }
    properties = {name: _text(told) for name, told in reasons.items()}
    return {
        "name": DEAD_LETTER,
        "summary": "A record with its original key, value and headers, byte for byte, and why it was set aside.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": properties, "required": list(reasons)},
        "bindings": {"kafka": {"key": _text("The original key."), "bindingVersion": BINDING}},
    }


def _text(description: str, longest: int | None = None) -> Node:
    return {"type": "string", "description": description, **({} if longest is None else {"maxLength": longest})}
