-- What models own: accounts, equity over time, positions.

CREATE TABLE accounts (
    model_id          text COLLATE "C" NOT NULL PRIMARY KEY,
    exchange_provider text COLLATE "C",
    account_tag       text,
    margin_mode       text,
    base_currency     text DEFAULT 'USD',
    leverage_mode     text,
    metadata          jsonb NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE account_equity_snapshots (
    id                            bigserial PRIMARY KEY,
    model_id                      text COLLATE "C" NOT NULL,
    exchange_provider             text COLLATE "C",
    ts_ms                         bigint NOT NULL,
    ts_s                          double precision,
    source_id                     text COLLATE "C",
    dollar_equity                 double precision NOT NULL,
    realized_pnl                  double precision,
    total_unrealized_pnl          double precision DEFAULT 0,
    cum_pnl_pct                   double precision,
    sharpe_ratio                  double precision,
    since_inception_hourly_marker integer,
    since_inception_minute_marker integer,
    run_id                        uuid,
    positions                     json,
    metadata                      jsonb NOT NULL DEFAULT '{}',
    feed_ordinal                  bigint,
    wire_detail                   jsonb,
    created_at                    timestamptz NOT NULL DEFAULT now(),
    updated_at                    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model_id, ts_ms)
);
CREATE INDEX account_equity_snapshots_model_ts ON account_equity_snapshots (model_id, ts_ms DESC);
CREATE INDEX account_equity_snapshots_feed ON account_equity_snapshots (feed_ordinal) WHERE feed_ordinal IS NOT NULL;
CREATE INDEX account_equity_snapshots_marker_feed
    ON account_equity_snapshots (since_inception_hourly_marker, feed_ordinal) WHERE feed_ordinal IS NOT NULL;

CREATE TABLE positions (
    id                text COLLATE "C" NOT NULL PRIMARY KEY,
    model_id          text COLLATE "C" NOT NULL,
    exchange_provider text COLLATE "C",
    symbol            text COLLATE "C" NOT NULL,
    side              text NOT NULL CHECK (side IN ('long', 'short')),
    status            text COLLATE "C" NOT NULL CHECK (status IN ('open', 'closed')),
    entry_time_ms     bigint NOT NULL,
    entry_time_s      double precision,
    entry_price       double precision NOT NULL,
    quantity          double precision NOT NULL,
    leverage          double precision,
    confidence        double precision,
    risk_usd          double precision,
    margin            double precision,
    commission        double precision,
    slippage          double precision,
    closed_pnl        double precision,
    liquidation_price double precision,
    current_price     double precision,
    unrealized_pnl    double precision,
    oid               bigint,
    entry_oid         bigint,
    tp_oid            bigint,
    sl_oid            bigint,
    wait_for_fill     boolean,
    index_col         jsonb,
    exit_plan         jsonb,
    exit_ts_ms        bigint,
    exit_price        double precision,
    metadata          jsonb NOT NULL DEFAULT '{}',
    wire_detail       jsonb,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX positions_open ON positions (model_id, symbol) WHERE status = 'open';
CREATE INDEX positions_status_model ON positions (status, model_id);
CREATE INDEX positions_symbol ON positions (symbol);

CREATE TABLE position_feed_models (
    model_id     text COLLATE "C" NOT NULL PRIMARY KEY,
    feed_ordinal bigint,
    wire_detail  jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX position_feed_models_feed ON position_feed_models (feed_ordinal) WHERE feed_ordinal IS NOT NULL;
