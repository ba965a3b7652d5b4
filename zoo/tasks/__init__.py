"""Parts that recipes of one kind share."""
