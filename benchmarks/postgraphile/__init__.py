"""PostGraphile 5 beside the service: its installation, its process, its questions."""
