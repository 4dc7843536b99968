"""What processes say to each other: events and requests, one JSON object a line."""
