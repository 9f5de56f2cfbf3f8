"""Endpoints: fleets, traffic, rollouts, scaling."""
