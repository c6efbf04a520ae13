"""Decisions and labels as they come, folded into evidence, and the controller that decides on it."""
