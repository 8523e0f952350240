"""The history of the database's shape: one line for all tiers; a table that a tier does not use stays empty."""
