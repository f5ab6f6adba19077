"""Makes `sorting` importable for the tests, without an installation."""
