"""Teachers: whoever can say what an aligned face looks like, as a vector. Start with opening.py."""
