"""The service beside a bare server that does the same work, in one run on one machine."""
