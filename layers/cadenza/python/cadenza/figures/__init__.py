"""What campaigns have sent and will send, and what came of it: counted on the rows whenever somebody looks."""
