"""One file for each contestant: `prepare(plan)` returns a function that makes so many calls and checks the replies.

That function returns nothing, or what the contestant tells of its own run (`Told`).

Each is run by the Python of its own environment as `python -m benchmarks.contestants NAME PLAN`, and imports nothing of
the product but where the product itself is the contestant.
"""
