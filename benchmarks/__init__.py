"""Benchmarks: `python -m benchmarks.NAME [--json]` prints what was reached against its goal, next to the peers."""
