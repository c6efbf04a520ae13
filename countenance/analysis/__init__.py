"""A crop or a photo in, face analysis out."""
