"""The management API: authenticated, one workspace a request, every error a problem document."""
