"""Example projects, and the code that gives them a history."""
