"""Campaigns: many walks, each in a worker process of its own, one small result file each, one table, one summary."""
