"""From outputs to named answers."""
