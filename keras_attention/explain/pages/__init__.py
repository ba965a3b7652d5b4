"""Interactive pages of attention weights, each one file of HTML."""
