"""What a rollout policy would do, before it is used: replays of logged decisions with errors put in."""
