"""Campaigns: many runs in worker processes, each with a small result file, and one table and one summary of all."""
