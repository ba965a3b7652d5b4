"""Running a recipe, and the files that it leaves."""
