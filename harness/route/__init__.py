"""Routing policies out of recorded answers: learned, certified, simulated."""
