"""Puts capabilities together into a running program: application, scheduler, health, command line."""
