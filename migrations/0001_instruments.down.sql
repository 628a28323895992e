DROP TABLE market_asset_ctx;
DROP TABLE market_assets;
DROP TABLE symbols;
DROP TABLE models;
