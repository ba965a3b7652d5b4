"""Readers of a user's own data: files, folders and objects of other libraries, and what is found
in them."""
