"""Exports of the systems that came before: read, mapped onto ours, and taken in once."""
