-- Prices: every tick, and the newest of each symbol.

CREATE TABLE price_ticks (
    id         bigserial PRIMARY KEY,
    provider   text COLLATE "C" NOT NULL,
    symbol     text COLLATE "C" NOT NULL,
    price      double precision NOT NULL,
    ts_ms      bigint NOT NULL,
    volume     double precision,
    raw        jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX price_ticks_symbol_ts ON price_ticks (symbol, ts_ms DESC);
CREATE INDEX price_ticks_provider_symbol_ts ON price_ticks (provider, symbol, ts_ms DESC);
-- Old ticks are deleted by time; they lie in order of time, so a block range index finds them and costs nothing.
CREATE INDEX price_ticks_ts ON price_ticks USING brin (ts_ms);

CREATE TABLE price_latest (
    provider     text COLLATE "C" NOT NULL,
    symbol       text COLLATE "C" NOT NULL,
    price        double precision NOT NULL,
    ts_ms        bigint NOT NULL,
    raw          jsonb,
    feed_ordinal bigint,
    wire_detail  jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, symbol)
);
-- /api/crypto-prices: one provider, in feed order, then by symbol.
CREATE INDEX price_latest_provider_feed ON price_latest (provider, feed_ordinal, symbol);
CREATE INDEX price_latest_feed ON price_latest (feed_ordinal) WHERE feed_ordinal IS NOT NULL;
