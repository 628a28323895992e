-- Results as they were published: facts that are stored, not computed. And what each imported file said beside its rows.

CREATE TABLE model_analytics (
    model_id       text COLLATE "C" NOT NULL PRIMARY KEY,
    payload        jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
    bulk_payload   jsonb CHECK (jsonb_typeof(bulk_payload) = 'object'),
    server_time_ms bigint NOT NULL,
    metadata       jsonb NOT NULL DEFAULT '{}',
    feed_ordinal   bigint,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX model_analytics_feed ON model_analytics (feed_ordinal) WHERE feed_ordinal IS NOT NULL;

CREATE TABLE since_inception_values (
    id                  text COLLATE "C" NOT NULL PRIMARY KEY,
    model_id            text COLLATE "C" NOT NULL,
    nav_since_inception double precision,
    inception_date_s    double precision,
    inception_ts_ms     bigint,
    num_invocations     bigint,
    feed_ordinal        bigint,
    wire_detail         jsonb,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX since_inception_values_feed ON since_inception_values (feed_ordinal) WHERE feed_ordinal IS NOT NULL;
CREATE INDEX since_inception_values_model ON since_inception_values (model_id);

CREATE TABLE leaderboard_entries (
    id           text COLLATE "C" NOT NULL PRIMARY KEY,
    num_trades   bigint,
    num_wins     bigint,
    num_losses   bigint,
    win_dollars  double precision,
    lose_dollars double precision,
    return_pct   double precision,
    equity       double precision,
    sharpe       double precision,
    feed_ordinal bigint,
    wire_detail  jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX leaderboard_entries_feed ON leaderboard_entries (feed_ordinal) WHERE feed_ordinal IS NOT NULL;

CREATE TABLE feed_documents (
    name           text COLLATE "C" NOT NULL PRIMARY KEY,
    server_time_ms bigint,
    shape          text NOT NULL DEFAULT 'object' CHECK (shape IN ('object', 'array')),
    wire_detail    jsonb,
    imported_at    timestamptz NOT NULL DEFAULT now(),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
