"""Thin adapters to AWS, one module per service.

A client is made at its first use and kept for the life of the process: making one costs some
30 ms, and a function that fails before it needs one should not pay. `ClientError`s that a rule
cares about become Signalbox errors by code; all others pass through unchanged. Imports rules,
never functions.
"""
