"""What only HQ runs. For now that is what every tier does, with the whole nation below it."""
