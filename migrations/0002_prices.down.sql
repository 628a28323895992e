DROP TABLE price_latest;
DROP TABLE price_ticks;
