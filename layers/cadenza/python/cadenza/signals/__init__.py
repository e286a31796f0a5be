"""Provider payload to signal: signatures, parsing, grading. Nothing here touches the database."""
