"""The routes, one module a concept: each parses nothing, calls one thing, and answers."""
