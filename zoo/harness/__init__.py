"""How a recipe is run, and what it leaves."""
