"""Planes: what sends a request to a release, and how it hears from the rollout store. See docs/rollout.md."""
