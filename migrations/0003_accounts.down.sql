DROP TABLE position_feed_models;
DROP TABLE positions;
DROP TABLE account_equity_snapshots;
DROP TABLE accounts;
