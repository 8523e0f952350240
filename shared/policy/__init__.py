"""Policies: national documents that rules go by, with overrides inside bounds."""
