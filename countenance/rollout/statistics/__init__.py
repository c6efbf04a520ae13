"""Evidence that may be looked at as often as one likes: e-processes, bounds made of them, and their benchmark."""
