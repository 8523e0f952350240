"""Tests of the whole, and what they share; a package, so that ``python -m tests.chaos`` finds this one."""
