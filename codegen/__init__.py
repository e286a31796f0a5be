"""Writes the client's and the command's operations from the API's own document (`make client`)."""
