"""countenance: face analysis from one network, assessed honestly and rolled out carefully."""
