DROP TABLE feed_documents;
DROP TABLE leaderboard_entries;
DROP TABLE since_inception_values;
DROP TABLE model_analytics;
