"""Evaluation protocols: which samples form a template, and which templates or photos are compared."""
