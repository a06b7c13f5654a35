-- Newest state of each asset and window size; the lifetime is a size too.
create table latest (
    asset_id text not null,
    size text not null,
    start timestamptz not null,
    partition integer,
    seq bigint not null,
    final boolean not null,
    reasons_id bigint,
    primary key (asset_id, size)
) with (fillfactor = 70);

-- Newest state of each window; a table per month below it. Metrics are columns, which are added when they first appear.
create table windows (
    asset_id text not null,
    size text not null,
    start timestamptz not null,
    partition integer,
    seq bigint not null,
    final boolean not null,
    reasons_id bigint,
    primary key (asset_id, size, start)
) partition by range (start);

create index windows_by_start on windows (size, start);

-- Why metrics are null: as a JSON object, once for all windows in which the same ones are null for the same reasons.
create table reasons (
    id bigint primary key,
    reasons text not null
);
