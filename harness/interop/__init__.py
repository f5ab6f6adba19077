"""Other programs' tasks on our backends, our backends in other programs, and our results in their formats."""
