-- What is computed from the facts. Each view has a unique index: without one it cannot be refreshed while it is read.

CREATE MATERIALIZED VIEW v_crypto_prices_latest AS
SELECT provider, symbol, price, ts_ms AS timestamp_ms
FROM price_latest;
CREATE UNIQUE INDEX v_crypto_prices_latest_key ON v_crypto_prices_latest (provider, symbol);

-- A trade without a profit counts as lost. Sums are over net results, lose_dollars is a magnitude; what a model lacks
-- is 0.
CREATE MATERIALIZED VIEW v_leaderboard AS
WITH latest AS (
    SELECT DISTINCT ON (model_id) model_id, ts_ms, dollar_equity, cum_pnl_pct, sharpe_ratio
    FROM account_equity_snapshots
    ORDER BY model_id, ts_ms DESC
),
results AS (
    SELECT model_id,
           count(*) AS num_trades,
           count(*) FILTER (WHERE realized_net_pnl > 0) AS num_wins,
           count(*) FILTER (WHERE realized_net_pnl <= 0) AS num_losses,
           sum(realized_net_pnl) FILTER (WHERE realized_net_pnl > 0) AS win_dollars,
           abs(sum(realized_net_pnl) FILTER (WHERE realized_net_pnl <= 0)) AS lose_dollars
    FROM trades
    GROUP BY model_id
)
SELECT latest.model_id,
       latest.ts_ms AS timestamp_ms,
       coalesce(results.num_trades, 0) AS num_trades,
       coalesce(results.num_wins, 0) AS num_wins,
       coalesce(results.num_losses, 0) AS num_losses,
       coalesce(results.win_dollars, 0) AS win_dollars,
       coalesce(results.lose_dollars, 0) AS lose_dollars,
       coalesce(latest.cum_pnl_pct, 0) AS return_pct,
       latest.dollar_equity AS equity,
       coalesce(latest.sharpe_ratio, 0) AS sharpe
FROM latest
LEFT JOIN results USING (model_id);
CREATE UNIQUE INDEX v_leaderboard_key ON v_leaderboard (model_id);

CREATE MATERIALIZED VIEW v_since_inception AS
SELECT snapshot.model_id,
       snapshot.ts_ms AS timestamp_ms,
       snapshot.dollar_equity / nullif(first_value(snapshot.dollar_equity) OVER whole, 0) AS nav_since_inception,
       first_value(snapshot.ts_ms) OVER whole AS inception_ts_ms,
       coalesce(invocations.count, 0) AS num_invocations
FROM account_equity_snapshots AS snapshot
LEFT JOIN (SELECT model_id, count(*) AS count FROM decision_cycles GROUP BY model_id) AS invocations USING (model_id)
WINDOW whole AS (PARTITION BY snapshot.model_id ORDER BY snapshot.ts_ms);
CREATE UNIQUE INDEX v_since_inception_key ON v_since_inception (model_id, timestamp_ms);

-- Brings all three up to date without locking readers out. A view that was never filled (restored from a dump of the
-- schema alone) cannot be refreshed that way, so it is filled the plain way once. The caller must own the views.
CREATE FUNCTION refresh_views_nof0() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    view_name text;
    populated boolean;
BEGIN
    FOREACH view_name IN ARRAY ARRAY['v_crypto_prices_latest', 'v_leaderboard', 'v_since_inception'] LOOP
        SELECT relispopulated INTO STRICT populated FROM pg_class WHERE oid = view_name::regclass;
        IF populated THEN
            EXECUTE format('REFRESH MATERIALIZED VIEW CONCURRENTLY %I', view_name);
        ELSE
            EXECUTE format('REFRESH MATERIALIZED VIEW %I', view_name);
        END IF;
    END LOOP;
END
$$;
