-- Feature flags with their log, and what comparisons of the two ways of reading found.

-- value NULL: what the configuration says holds.
CREATE TABLE feature_flags (
    name       text COLLATE "C" NOT NULL PRIMARY KEY,
    value      text COLLATE "C",
    version    bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Every change that was ever made. ids count up in the order of the commits (flags/store.h).
CREATE TABLE feature_flag_changes (
    id         bigserial PRIMARY KEY,
    name       text COLLATE "C" NOT NULL,
    from_value text COLLATE "C",
    to_value   text COLLATE "C",
    origin     text COLLATE "C" NOT NULL CHECK (origin IN ('operator', 'plan', 'system')),
    actor      text NOT NULL,
    reason     text NOT NULL,
    forced     boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX feature_flag_changes_name ON feature_flag_changes (name, id DESC);

CREATE FUNCTION feature_flag_changes_nof0() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'feature_flag_changes is a log: its rows stay as they are';
END $$;
CREATE TRIGGER feature_flag_changes_stay BEFORE UPDATE OR DELETE ON feature_flag_changes
    FOR EACH ROW EXECUTE FUNCTION feature_flag_changes_nof0();

CREATE TABLE parity_runs (
    id           bigserial PRIMARY KEY,
    endpoint     text COLLATE "C" NOT NULL,
    origin       text COLLATE "C" NOT NULL,
    instance     text NOT NULL,
    left_source  text NOT NULL,
    right_source text NOT NULL,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz NOT NULL,
    comparisons  bigint NOT NULL,
    mismatches   bigint NOT NULL,
    unsettled    bigint NOT NULL,
    failures     bigint NOT NULL,
    shed         bigint NOT NULL,
    differences  jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX parity_runs_endpoint ON parity_runs (endpoint, ended_at DESC);
