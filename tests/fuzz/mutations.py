"""Valid events, and what an enemy makes of them: bytes turned, JSON values swapped, headers tampered with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, TypeAlias

from service.store.records import Incoming

Headers: TypeAlias = list[tuple[str, bytes | None]]
Span: TypeAlias = tuple[int, int]

NOW_MS = 1_794_470_400_000
PERIOD = {"start": "2026-11-01", "end": "2026-12-01"}
LATER = {"start": "2026-12-01T00:00:00+01:00", "end": "2027-01-01T00:00:00+01:00"}
CHARGE = {"charge_id": "C1", "line_id": "L1", "kind": "recurring", "period": PERIOD, "amount": "300.00"}

EVENTS: dict[str, list[dict[str, Any]]] = {
    "subscription-activated": [
        {
            "customer_id": "customer",
            "currency": "DKK",
            "time_zone": "Europe/Copenhagen",
            "start_date": "2026-11-01",
            "interval": "P1M",
            "anchor_day": 1,
            "billing": "in-advance",
            "lines": [
                {"line_id": "L1", "amount": "300.00", "description": "all of it"},
                {"line_id": "L2", "amount": "9.95"},
            ],
            "trial_end_date": "2026-11-08",
            "terms": {"minimum_term": "P6M", "notice": "P1M", "notice_to": "month-end", "settlement": "prorate"},
            "language": "da",
        },
        {
            "customer_id": "customer",
            "currency": "JPY",
            "time_zone": "Asia/Tokyo",
            "start_date": "2026-10-31",
            "interval": "P1M",
            "lines": [{"line_id": "L1", "amount": "1000"}],
        },
    ],
    "subscription-renewed": [{"period": PERIOD}, {"period": LATER}],
    "price-changed": [{"effective_date": "2026-11-15", "lines": [{"line_id": "L1", "amount": "310.00"}]}],
    "subscription-paused": [
        {"pause_id": "P1", "effective_date": "2026-11-05", "resume_date": "2026-11-09", "effect": "not-charged"},
        {"pause_id": "P2", "effective_date": "2026-11-10", "effect": "extends-period"},
    ],
    "subscription-resumed": [{"pause_id": "P2", "effective_date": "2026-11-12"}],
    "invoice-planned": [{"invoice_id": "INV-1", "charges": [CHARGE]}],
    "invoice-issued": [
        {"invoice_id": "INV-1", "charges": [CHARGE, {**CHARGE, "charge_id": "C2", "tax_amount": "60.00"}]},
        {"invoice_id": "INV-2", "charges": [{**CHARGE, "charge_id": "C3", "period": LATER}]},
        {
            "invoice_id": "INV-3",
            "charges": [{"charge_id": "C4", "kind": "credit", "amount": "10.00", "corrects_charge_id": "C1"}],
        },
    ],
    "invoice-paid": [{"invoice_id": "INV-1", "paid_amount": "300.00"}],
    "invoice-voided": [{"invoice_id": "INV-2"}],
    "cancellation-requested": [
        {
            "cancellation_id": "X1",
            "end": {"mode": "on-date", "date": "2026-11-21"},
            "requested_by": "kim",
            "reason": {"code": "moving", "comment": "to Aarhus"},
        },
        {"end": {"mode": "immediately"}, "settlement": "full-period", "override_terms": {"by": "kim", "why": "asked"}},
        {"end": {"mode": "end-of-period"}, "line_ids": ["L2"]},
    ],
    "cancellation-moved": [
        {"end": {"mode": "on-date", "last_active_day": "2026-11-25"}},
        {"end": {"mode": "on-date", "at": "2026-11-25T12:00:00+01:00"}, "cancellation_id": "X1"},
    ],
    "cancellation-revoked": [{"cancellation_id": "X1"}, {}],
    "cancellation-policy-set": [
        {"settlement": "prorate", "proration": "second", "rounding": "half-even", "on_early_end": "refuse"},
        {"charges": "implied", "earliest_backdate_days": 366, "language": "da", "day_of_cancellation": "free"},
    ],
}

NASTY: tuple[str, ...] = (
    *("null", "true", "false", "0", "-0", "-1", "1e3", "1e400", "-1e400", "1.0000000000000001", "NaN", "-Infinity"),
    *("[]", "{}", "[null]", '[""]', "[[[]]]", '{"":{}}', "[" * 50 + "]" * 50, "[" * 250 + "]" * 250),
    *("9" * 20, "9" * 400, "9" * 5000, "0." + "3" * 400, f"[{'null,' * 1200}null]", f"[{'{},' * 1200}{{}}]"),
    *('""', '" "', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\u003a"', '"\x7f"', '"\x00"'),
    *('"a:b"', '"::"', '"\u202e"', '"\u2028"', '"e\u0301"', '"\ufeff"', '"%00"', '"\'; drop table"', '"../../etc"'),
    *(f'"{"x" * size}"' for size in (255, 256, 4000, 4001, 10_000)),
    *('"0"', '"0.00"', '"-1.00"', '"1e3"', '"300,00"', '"999999999999999.9999"', '"9999999999999999"', '"0.005"'),
    *('"\u0663.00"', '" 1.00"', '"1.00 "', '"+1.00"', '".5"', '"5."', '"0x10"', '"1_000"'),
    *('"2026-02-29"', '"2026-02-30"', '"0000-00-00"', '"9999-12-31"', '"1900-01-01"', '"1899-12-31"', '"2199-12-31"'),
    *('"2026-11-01"', '"2026-11-30"', '"2026-10-25"', '"2027-03-28"', '"2011-12-30"', '"2026-W45"', '"20261101"'),
    *('"2026-11-12T09:00:00Z"', '"2026-10-25T02:30:00+02:00"', '"2026-11-12T09:00:00"', '"2026-11-12T24:00:00Z"'),
    *(
        '"2026-11-12T09:00:60Z"',
        '"2026-11-12T09:00:00+25:00"',
        '"2026-11-12T09:00:00.123456789Z"',
        '"1970-01-01T00:00:00Z"',
    ),
    *('"2199-12-31T23:59:59-12:00"', '"2026-11-12t09:00:00z"', '"2026-11-12 09:00:00+01:00"', '"1794470400"'),
    *('"P0D"', '"P1D"', '"P1W"', '"P1M1D"', '"P1Y"', '"P100Y"', '"P101Y"', '"P9999Y"', '"PT1H"', '"P"', '"P1000000Y"'),
    *('"P-1M"', '"P1.5M"', '"P٣M"', '"Pacific/Apia"', '"Europe/London"', '"right/UTC"', '"Mars/Phobos"', '"UTC"'),
    *('"localtime"', '"posixrules"', '"europe/copenhagen"', '"EUR"', '"BHD"', '"CLF"', '"XXX"', '"XAU"', '"dkk"'),
    *('"on-date"', '"immediately"', '"end-of-period"', '"end-of-invoiced"', '"end-of-term"', '"earliest"', '"at"'),
    *('"prorate"', '"full-period"', '"refund-period"', '"in-arrears"', '"credit"', '"usage"', '"one-off"', '"implied"'),
    *('"C1"', '"C2"', '"L1"', '"L2"', '"INV-1"', '"INV-2"', '"X1"', '"P1"', '"default"', '"month-end"', '"charged"'),
)
NASTY_HEADERS: tuple[bytes | None, ...] = (
    *(None, b"", b" ", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"x" * 255, b"x" * 256, b"x" * 2000, b"x" * 40_000),
    *(b"1.0", b"0.3", b"1.0 ", "\u0661.0".encode(), b"2026-11-12T09:00:00Z", b"yesterday", b"9999-12-31T23:59:59Z"),
    *(b"2026-11-12T09:00:00", b"1794470400", b"2026-11-12T09:00:00.000000001-00:00", b"application/json"),
    *(
        b"application/cloudevents+json",
        b"application/cloudevents-batch+json",
        b"APPLICATION/CLOUDEVENTS",
        b"text/plain",
    ),
    *(b"cancellation-requested", b"cancellation-revoked", b"subscription-timeline", b"clock", b"a\nb", b"{}"),
)
NAMES = (
    *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "traceparent", "ce_tracestate"),
    *("correlationid", "ce_", "CE_ID", "Content-Type", "dlq_topic", "", "x" * 300, "ce_data", "\u0130d", "x"),
)


class Template:
    """A valid event as JSON text, with the place of every value in it."""

    def __init__(self, event_type: str, data: dict[str, Any]) -> None:
        self.type = event_type
        self.spans: list[Span] = []
        self._parts: list[str] = []
        self._length = 0
        self._write(data)
        self.text = "".join(self._parts)
        self.values = [self.text[start:end] for start, end in self.spans]

    def _write(self, value: object) -> None:
        start = self._length
        if isinstance(value, dict):
            self._emit("{")
            for number, (name, inner) in enumerate(value.items()):
                self._emit(f"{',' if number else ''}{json.dumps(name)}:")
                self._write(inner)
            self._emit("}")
        elif isinstance(value, list):
            self._emit("[")
            for number, inner in enumerate(value):
                self._emit("," if number else "")
                self._write(inner)
            self._emit("]")
        else:
            self._emit(json.dumps(value))
        self.spans.append((start, self._length))

    def _emit(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)


class Enemy:
    """Makes records, each from a valid event; the same seed makes the same records."""

    def __init__(self, seed: int, harm: float = 0.67) -> None:
        self.random = Random(seed)  # noqa: S311  not for secrets
        self._harm = harm
        self._last: Incoming | None = None
        self.made = 0
        self._pool = [value for each in _TEMPLATES["s0"] for value in each.values]
        self._bytes: tuple[Callable[[bytes], bytes], ...] = (self._flip, self._cut, self._repeat, self._insert)

    def record(self, subscriptions: int = 4) -> Incoming:
        """One more record; some are valid, some say the last one again, and some use an id again."""
        random, self.made = self.random, self.made + 1
        if self._last is not None and random.random() < 0.03:
            return replace(self._last, offset=self.made)
        self._last = self._new(subscriptions)
        return self._last

    def _new(self, subscriptions: int) -> Incoming:
        random = self.random
        template = random.choice(_TEMPLATES[f"s{random.randrange(subscriptions)}"])
        event_id = f"e{self.made if random.random() < 0.98 else random.randrange(self.made)}"
        headers: Headers = [*_HEADERS, ("ce_type", template.type.encode()), ("ce_id", event_id.encode())]
        text, dice = template.text, random.random() if random.random() < self._harm else 0
        if dice:
            for _ in range(1 if dice < 0.8 else random.randrange(2, 4)):
                text = self._swapped(template, text)
        value = text.encode(errors="surrogatepass")
        if random.random() < 0.15:
            value = self._structured(template.type, event_id, text, headers)
        if dice > 0.85:
            value = random.choice(self._bytes)(value) if value else value
        if dice > 0.92:
            self._tamper(headers)
        topic = "cancellation-requested" if template.type.startswith("cancellation") else "subscription-lifecycle"
        empty = dice > 0.998
        return Incoming(topic, 0, self.made, NOW_MS, b"key", None if empty else value, headers)

    def _swapped(self, template: Template, text: str) -> str:
        """A value for another: from the list, from another event, doubled, gone, or under a name of its own."""
        start, end = self.random.choice(template.spans)
        if end > len(text):
            return text
        dice = self.random.random()
        if dice < 0.5:
            return f"{text[:start]}{self.random.choice(NASTY)}{text[end:]}"
        if dice < 0.85:
            return f"{text[:start]}{self.random.choice(self._pool)}{text[end:]}"
        if dice < 0.9:
            return f"{text[:start]}{text[end:]}"
        name = self.random.choice(("x", "subscription_id", "amount", "end"))
        return f'{text[:end]},"{name}":{self.random.choice(NASTY)}{text[end:]}'

    def _structured(self, event_type: str, event_id: str, text: str, headers: Headers) -> bytes:
        headers[:] = [("content-type", b"application/cloudevents+json; charset=utf-8")]
        attributes = f'"specversion":"1.0","id":"{event_id}","source":"fuzz","type":"{event_type}"'
        if self.random.random() < 0.1:
            attributes = attributes.replace('"fuzz"', self.random.choice(NASTY))
        return f'{{{attributes},"time":"2026-11-12T09:00:00+01:00","data":{text}}}'.encode(errors="surrogatepass")

    def _flip(self, value: bytes) -> bytes:
        changed = bytearray(value)
        for _ in range(self.random.randrange(1, 4)):
            changed[self.random.randrange(len(changed))] = self.random.randrange(256)
        return bytes(changed)

    def _cut(self, value: bytes) -> bytes:
        return value[: self.random.randrange(len(value))]

    def _repeat(self, value: bytes) -> bytes:
        start = self.random.randrange(len(value))
        return value[:start] + value[start : start + 40] * self.random.choice((2, 3, 200)) + value[start:]

    def _insert(self, value: bytes) -> bytes:
        place = self.random.randrange(len(value))
        return (
            value[:place]
            + self.random.choice((b"\x00", b"\xff", b"\\", b'"', b"{", b"[" * 300, b"\\u"))
            + value[place:]
        )

    def _tamper(self, headers: Headers) -> None:
        random = self.random
        dice = random.random()
        if dice < 0.2 and headers:
            headers.pop(random.randrange(len(headers)))
        elif dice < 0.7 and headers:
            place = random.randrange(len(headers))
            headers[place] = (headers[place][0], random.choice(NASTY_HEADERS))
        elif dice < 0.98:
            headers.insert(random.randrange(len(headers) + 1), (random.choice(NAMES), random.choice(NASTY_HEADERS)))
        else:
            headers += [(random.choice(NAMES), b"x")] * random.choice((95, 96, 200))


_HEADERS: Headers = [
    ("ce_specversion", b"1.0"),
    ("ce_source", b"fuzz"),
    ("ce_time", b"2026-11-12T09:00:00+01:00"),
    ("content-type", b"application/json"),
]
_TEMPLATES = {
    f"s{number}": [
        Template(kind, data if kind == "cancellation-policy-set" else {"subscription_id": f"s{number}", **data})
        for kind, variants in EVENTS.items()
        for data in variants
    ]
    for number in range(50)
}
