"""The way in: functions that take files, instances or arrays, and return results with named exact fields."""
