"""What a registry shows people of the rollouts: aliases, tags and a description, kept right and watched for edits."""
