"""A photo in, faces out: proposals, refinement by landmarks, suppression, alignment, the analyzer."""
