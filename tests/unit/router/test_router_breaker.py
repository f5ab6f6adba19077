"""A small model that fails again and again: nobody waits for it, and it comes back when it answers."""

from harness.router.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def failing(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.note("small", answered=False)


def test_five_errors_in_a_row_and_not_four_make_it_rest() -> None:
    breaker = Breaker(30.0, Clock())

    failing(breaker, 4)
    before = breaker.rests("small")
    failing(breaker, 1)

    assert (before, breaker.rests("small"), breaker.rests("other")) == (False, True, False)


def test_an_answer_in_between_ends_the_count() -> None:
    breaker = Breaker(30.0, Clock())

    failing(breaker, 4)
    breaker.note("small", answered=True)
    failing(breaker, 4)

    assert not breaker.rests("small")


def test_after_its_rest_one_call_is_sent_to_see_and_its_failure_makes_it_rest_again() -> None:
    clock = Clock()
    breaker = Breaker(30.0, clock)
    failing(breaker, 5)

    clock.at = 31.0
    first, second = breaker.rests("small"), breaker.rests("small")
    failing(breaker, 1)
    clock.at = 60.0

    assert (first, second, breaker.rests("small")) == (False, True, True)


def test_its_answer_after_the_rest_brings_it_back() -> None:
    clock = Clock()
    breaker = Breaker(30.0, clock)
    failing(breaker, 5)

    clock.at = 31.0
    breaker.rests("small")
    breaker.note("small", answered=True)

    assert not breaker.rests("small")


def test_a_rest_of_0_never_comes() -> None:
    breaker = Breaker(0.0, Clock())

    failing(breaker, 50)

    assert not breaker.rests("small")
