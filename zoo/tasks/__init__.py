"""What recipes of one kind share."""
