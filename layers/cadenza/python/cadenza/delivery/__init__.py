"""Render, gate, outbox, providers, outcomes."""
