"""What only a province runs. For now that is what every tier does, with its own cities below it."""
