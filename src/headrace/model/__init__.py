"""The nouns: what people declare, and what travels. Wire names live in aliases; inside, the names are ours."""
