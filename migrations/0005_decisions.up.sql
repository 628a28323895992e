-- What models say and decide.

CREATE TABLE conversations (
    id           bigserial PRIMARY KEY,
    source_key   text COLLATE "C" NOT NULL UNIQUE,
    model_id     text COLLATE "C" NOT NULL,
    topic        text,
    feed_ordinal bigint,
    wire_detail  jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX conversations_model ON conversations (model_id);
CREATE INDEX conversations_feed ON conversations (feed_ordinal) WHERE feed_ordinal IS NOT NULL;
CREATE INDEX conversations_model_feed ON conversations (model_id, feed_ordinal) WHERE feed_ordinal IS NOT NULL;

CREATE TABLE conversation_messages (
    id              bigserial PRIMARY KEY,
    conversation_id bigint NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    seq             integer NOT NULL CHECK (seq >= 0),
    role            text NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    content         text NOT NULL,
    ts_ms           bigint,
    ts_raw          jsonb,
    metadata        jsonb NOT NULL DEFAULT '{}',
    wire_detail     jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (conversation_id, seq)
);
CREATE INDEX conversation_messages_ts ON conversation_messages (conversation_id, ts_ms);

CREATE TABLE decision_cycles (
    id                bigserial PRIMARY KEY,
    source_id         text COLLATE "C" UNIQUE,
    model_id          text COLLATE "C" NOT NULL,
    cycle_number      integer,
    run_id            text,
    skill             text,
    prompt_digest     text,
    user_prompt       text,
    cot_trace         text,
    cot_trace_doc     jsonb,
    cot_trace_summary text,
    decisions         jsonb,
    success           boolean NOT NULL DEFAULT false,
    error_message     text,
    executed_at       timestamptz,
    timestamp_s       double precision,
    inserted_at_s     double precision,
    feed_ordinal      bigint,
    wire_detail       jsonb,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX decision_cycles_model_executed ON decision_cycles (model_id, executed_at DESC);
CREATE INDEX decision_cycles_feed ON decision_cycles (feed_ordinal) WHERE feed_ordinal IS NOT NULL;
CREATE INDEX decision_cycles_model_feed ON decision_cycles (model_id, feed_ordinal) WHERE feed_ordinal IS NOT NULL;

CREATE TABLE trader_state (
    trader_id         text COLLATE "C" NOT NULL PRIMARY KEY,
    exchange_provider text COLLATE "C",
    market_provider   text COLLATE "C",
    allocation_pct    double precision,
    cooldown          jsonb,
    risk_guards       jsonb,
    last_decision_at  timestamptz,
    pause_until       timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
