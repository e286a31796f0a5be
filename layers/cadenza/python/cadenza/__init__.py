"""Cadenza: outreach campaigns as exact state machines, run by stateless workers on AWS."""
