"""What the model is: the all-in-one network, its heads and its losses."""
