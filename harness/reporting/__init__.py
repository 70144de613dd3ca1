"""What is shown of evaluations: leaderboard, ladder, paper tables, comparisons."""
