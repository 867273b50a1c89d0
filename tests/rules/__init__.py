"""The rules for what authors write, as tables: what is changed in a document that is right, and what is said of it."""
