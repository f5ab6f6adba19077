"""An agent's calls grouped into its nodes, and those into recurring tasks with stable ids."""
