"""What is deployed: the release unit and the engine that runs it."""
