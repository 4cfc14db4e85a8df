"""Attempts at what is not allowed, as data: the tests make each of them, and see it refused with these words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

User: TypeAlias = Literal["service", "reader"]


@dataclass(frozen=True, slots=True)
class Statement:
    """What one of the users of the database tries, and what Postgres says to it."""

    user: User
    tries: str
    sql: str
    refused: str


STATEMENTS = (
    Statement("service", "make a table", "create table mine (id int)", "permission denied for schema public"),
    Statement("service", "make a temporary table", "create temp table mine (id int)", "permission denied to create"),
    Statement("service", "change a table", "alter table outbox add column mine int", "must be owner of table outbox"),
    Statement("service", "drop a table", "drop table outbox", "must be owner of table outbox"),
    Statement("service", "make an index", "create index mine on outbox (topic)", "must be owner of table outbox"),
    Statement("service", "empty the outbox", "truncate outbox", "permission denied for table outbox"),
    Statement("service", "empty the history", "truncate fact", "permission denied for table fact"),
    Statement("service", "rewrite the history", "update fact set type = 'x'", "permission denied for table fact"),
    Statement("service", "delete from the history", "delete from fact", "permission denied for table fact"),
    Statement("service", "rewrite a policy", "update policy set time = now()", "permission denied for table policy"),
    Statement(
        "service",
        "say that a migration was applied",
        "insert into schema_migration values ('9999_mine')",
        "permission denied for table schema_migration",
    ),
    Statement(
        "service",
        "take the watch from the rows",
        "alter table subscription disable row level security",
        "must be owner of table subscription",
    ),
    Statement("service", "make a user", "create role mine", "permission denied to create role"),
    Statement("service", "become the owner", "set role postgres", "permission denied to set role"),
    Statement("service", "read the server's files", "select pg_read_file('PG_VERSION')", "permission denied for"),
    Statement("reader", "write a subscription", "update subscription set state = null", "permission denied for table"),
    Statement("reader", "delete subscriptions", "delete from subscription", "permission denied for table subscription"),
    Statement("reader", "lock a subscription", "select from subscription for update", "permission denied for table"),
    Statement("reader", "read the history", "select from fact", "permission denied for table fact"),
    Statement("reader", "read what waits", "select from parked", "permission denied for table parked"),
    Statement("reader", "read the outbox", "select from outbox", "permission denied for table outbox"),
    Statement("reader", "read who sent what", "select from inbox", "permission denied for table inbox"),
    Statement("reader", "empty the inbox", "select rotate_inbox()", "permission denied for function rotate_inbox"),
    Statement("reader", "make a table", "create table mine (id int)", "permission denied for schema public"),
    Statement("reader", "become the service", "set role {service}", "permission denied to set role"),
    Statement("reader", "see past the watch", "set row_security = off; select from subscription", "would be affected"),
)

OTHERS = (
    "select * from subscription where tenant_id = 'B'",
    "select * from subscription where tenant_id = 'A' or true",
    "select * from subscription where tenant_id <> 'A'",
    "select * from subscription where subscription_id = 'B1'",
    "select * from subscription where customer_id = 'of B'",
    "select * from (select * from subscription) s where s.tenant_id like '%B%'",
    "select b.* from subscription a join subscription b on b.customer_id = 'of B'",
    "select * from policy where tenant_id = 'B'",
    "select * from subscription where tenant_id = 'B' union all select * from subscription where tenant_id = 'B'",
    "select * from subscription tablesample system (100) where tenant_id = 'B'",
    "with everything as materialized (select * from subscription) select * from everything where tenant_id = 'B'",
)
"""What a reader of tenant A asks for of tenant B's, by hand; nothing comes back."""
