"""Starts processes from one that has imported what they need."""
