"""Paper tables and leaderboard rows."""
