DROP FUNCTION refresh_views_nof0();
DROP MATERIALIZED VIEW v_since_inception;
DROP MATERIALIZED VIEW v_leaderboard;
DROP MATERIALIZED VIEW v_crypto_prices_latest;
