-- Whose rows a reader sees, in every table that says whose they are: those of the tenants that it names in the setting
-- cancellation.tenants, an array of their ids, and nobody's where it names none. The owner of the tables and roles with
-- BYPASSRLS see all. Comparing is leakproof, so that what a query asks for goes on being found by its index.
do $$
declare
    watched regclass;
begin
    for watched in
        select c.oid
        from pg_class c
        inner join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
        where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = quote_ident(current_schema())::regnamespace
    loop
        execute format('alter table %s enable row level security', watched);
        execute format($policy$
            create policy own_tenants on %s for select
            using (tenant_id = any(nullif(current_setting('cancellation.tenants', true), '')::text []))
        $policy$, watched);
    end loop;
end
$$;

-- What only the owner of the tables may do: the generations of the inbox change places. No table of the caller's own can
-- stand in for them, for the function looks where they are and for temporary ones last.
do $$
begin
    execute format($function$
        create function rotate_inbox() returns void
        language plpgsql
        security definer
        set search_path = %I, pg_temp
        as $body$
        begin
            truncate inbox_before;
            alter table inbox rename to inbox_old;
            alter table inbox_before rename to inbox;
            alter table inbox_old rename to inbox_before;
        end
        $body$
    $function$, current_schema());
end
$$;
revoke execute on function rotate_inbox() from public;
