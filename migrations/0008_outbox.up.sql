-- What is written by events: the outbox that tells the rest of the house of each commit, and what events need to come in
-- any order and more than once.
--
-- ids of the outbox count up in the order of the commits: whoever writes takes one lock for all instances just before his
-- commit (repo/outbox.h), so a reader that has seen an id has seen all smaller ones.

CREATE TABLE outbox (
    id         bigserial PRIMARY KEY,
    feed       text COLLATE "C" NOT NULL,
    items      jsonb NOT NULL,
    target     text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How far each reader of the outbox has come.
CREATE TABLE outbox_consumers (
    name       text COLLATE "C" NOT NULL PRIMARY KEY,
    position   bigint NOT NULL DEFAULT 0,
    failures   integer NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Rows of the outbox that a consumer could not apply, kept until somebody has them tried again.
CREATE TABLE outbox_dead (
    id         bigserial PRIMARY KEY,
    consumer   text COLLATE "C" NOT NULL,
    outbox_id  bigint NOT NULL,
    feed       text COLLATE "C" NOT NULL,
    items      jsonb NOT NULL,
    attempts   integer NOT NULL,
    error      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (consumer, outbox_id)
);

-- How far a file of events was taken in (nof0ctl ingest), kept in the transaction that stores its events.
CREATE TABLE ingest_files (
    kind       text COLLATE "C" NOT NULL,
    head       text COLLATE "C" NOT NULL,
    bytes_done bigint NOT NULL,
    items_done bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, head)
);

-- When the row's content was true, in exact seconds: an event that is older changes nothing. NULL: imported, older than
-- any event.
ALTER TABLE positions ADD COLUMN as_of_s double precision;
ALTER TABLE positions ADD COLUMN stated_quantity double precision;
ALTER TABLE trader_state ADD COLUMN as_of_s double precision;
ALTER TABLE market_assets ADD COLUMN as_of_s double precision;
ALTER TABLE market_asset_ctx ADD COLUMN as_of_s double precision;
ALTER TABLE since_inception_values ADD COLUMN as_of_s double precision;
ALTER TABLE leaderboard_entries ADD COLUMN as_of_s double precision;

-- Where a row belongs in a feed that is ordered by time.
CREATE INDEX account_equity_snapshots_feed_time ON account_equity_snapshots (ts_ms, model_id)
    WHERE feed_ordinal IS NOT NULL;
-- The older rows of the same hour.
CREATE INDEX account_equity_snapshots_source ON account_equity_snapshots (source_id);
-- The positions that one trade closes, and the trades that close one position.
CREATE INDEX positions_model_symbol ON positions (model_id, symbol, entry_time_ms DESC);
CREATE INDEX trades_model_symbol_entry ON trades (model_id, symbol, entry_ts_ms);
CREATE INDEX decision_cycles_feed_time ON decision_cycles (timestamp_s DESC, source_id DESC)
    WHERE feed_ordinal IS NOT NULL;
