"""What a setting is: a fact about a field stated once, and variants found by folder."""
