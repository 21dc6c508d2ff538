"""Training of the embedded networks: one config, one task and one loop a person can read."""
