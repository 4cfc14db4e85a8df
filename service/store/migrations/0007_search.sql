-- Searching by what an id begins with, within a tenant: by code points, whatever the database's own collation is.
create index subscription_by_id on subscription (tenant_id, subscription_id collate "C");
create index subscription_by_customer on subscription (tenant_id, customer_id collate "C", subscription_id collate "C")
where customer_id is not null;
