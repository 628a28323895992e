DROP INDEX decision_cycles_feed_time, trades_model_symbol_entry, positions_model_symbol, account_equity_snapshots_source,
    account_equity_snapshots_feed_time;
ALTER TABLE leaderboard_entries DROP COLUMN as_of_s;
ALTER TABLE since_inception_values DROP COLUMN as_of_s;
ALTER TABLE market_asset_ctx DROP COLUMN as_of_s;
ALTER TABLE market_assets DROP COLUMN as_of_s;
ALTER TABLE trader_state DROP COLUMN as_of_s;
ALTER TABLE positions DROP COLUMN stated_quantity;
ALTER TABLE positions DROP COLUMN as_of_s;
DROP TABLE ingest_files, outbox_dead, outbox_consumers, outbox;
