"""Leads' people: identity, consent, suppression, holds."""
