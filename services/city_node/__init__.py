"""What only a city runs: its customers, and the services that it does for them with other cities."""
