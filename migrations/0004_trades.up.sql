-- Closed round trips. Order and trade ids of the exchange repeat in real data, so nothing but id is unique.

CREATE TABLE trades (
    id                       text COLLATE "C" NOT NULL PRIMARY KEY,
    model_id                 text COLLATE "C" NOT NULL,
    exchange_provider        text COLLATE "C",
    symbol                   text COLLATE "C" NOT NULL,
    side                     text,
    trade_type               text,
    trade_id                 text,
    quantity                 double precision,
    leverage                 double precision,
    confidence               double precision,
    entry_price              double precision,
    entry_ts_ms              bigint NOT NULL,
    entry_time_s             double precision,
    entry_human_time         text,
    entry_sz                 double precision,
    entry_tid                bigint,
    entry_oid                bigint,
    entry_crossed            boolean,
    entry_liquidation        jsonb,
    entry_commission_dollars double precision,
    entry_closed_pnl         double precision,
    exit_price               double precision,
    exit_ts_ms               bigint,
    exit_time_s              double precision,
    exit_human_time          text,
    exit_sz                  double precision,
    exit_tid                 bigint,
    exit_oid                 bigint,
    exit_crossed             boolean,
    exit_liquidation         jsonb,
    exit_commission_dollars  double precision,
    exit_closed_pnl          double precision,
    exit_plan                jsonb,
    realized_gross_pnl       double precision,
    realized_net_pnl         double precision,
    total_commission_dollars double precision,
    feed_ordinal             bigint,
    wire_detail              jsonb,
    created_at               timestamptz NOT NULL DEFAULT now(),
    updated_at               timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX trades_model_entry ON trades (model_id, entry_ts_ms DESC);
CREATE INDEX trades_model_exit ON trades (model_id, exit_ts_ms DESC, id DESC);
-- Pages of trades, newest exit first by its exact seconds, ties by id.
CREATE INDEX trades_exit ON trades
    ((coalesce(exit_time_s, exit_ts_ms / 1000.0::double precision)) DESC, id DESC) WHERE exit_ts_ms IS NOT NULL;
CREATE INDEX trades_model_exit_time ON trades
    (model_id, (coalesce(exit_time_s, exit_ts_ms / 1000.0::double precision)) DESC, id DESC)
    WHERE exit_ts_ms IS NOT NULL;
CREATE INDEX trades_exit_oid ON trades (exit_oid);
CREATE INDEX trades_feed ON trades (feed_ordinal) WHERE feed_ordinal IS NOT NULL;
CREATE INDEX trades_model_feed ON trades (model_id, feed_ordinal) WHERE feed_ordinal IS NOT NULL;
