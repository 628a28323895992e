-- What trades and what is traded.
--
-- In all migrations: texts that are keys compare byte by byte (COLLATE "C"), so that order and uniqueness are the same on
-- every server. References between tables are logical, but for messages -> conversations: who writes a row also writes
-- the model and the symbol that it names. A column's meaning stands in repo/<table>.def.

CREATE TABLE models (
    id           text COLLATE "C" NOT NULL PRIMARY KEY,
    display_name text NOT NULL,
    description  text,
    metadata     jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE symbols (
    symbol          text COLLATE "C" NOT NULL PRIMARY KEY,
    base_asset      text,
    quote_asset     text DEFAULT 'USD',
    base_precision  integer,
    quote_precision integer,
    tick_size       double precision,
    metadata        jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE market_assets (
    provider        text COLLATE "C" NOT NULL,
    symbol          text COLLATE "C" NOT NULL,
    name            text,
    sz_decimals     integer,
    max_leverage    double precision,
    only_isolated   boolean,
    margin_table_id integer,
    is_delisted     boolean,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, symbol)
);

CREATE TABLE market_asset_ctx (
    provider      text COLLATE "C" NOT NULL,
    symbol        text COLLATE "C" NOT NULL,
    funding       double precision,
    open_interest double precision,
    oracle_px     double precision,
    mark_px       double precision,
    mid_px        double precision,
    impact_pxs    jsonb,
    prev_day_px   double precision,
    day_ntl_vlm   double precision,
    day_base_vlm  double precision,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, symbol)
);
