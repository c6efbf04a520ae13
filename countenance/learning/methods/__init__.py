"""Ways to distil a face recogniser, one file a way; each is an identity header like any other."""
