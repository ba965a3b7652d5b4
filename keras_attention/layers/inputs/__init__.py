"""From raw values to sequences of vectors."""
