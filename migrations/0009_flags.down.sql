DROP TABLE parity_runs;
DROP TABLE feature_flag_changes;
DROP FUNCTION feature_flag_changes_nof0();
DROP TABLE feature_flags;
