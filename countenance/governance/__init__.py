"""What a release may be used for, what it was made of, and where the evidence is."""
