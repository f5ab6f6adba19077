"""One thread for the libraries that clustering computes with."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS and OpenMP take one thread in this process until the context ends.

    Sums of several threads can be rounded otherwise than those of one, and so the groups would depend on the machine.
    Their threads may also spin while they wait, which takes the processor from other work.
    """
    import sklearn.cluster
    import sklearn.manifold  # noqa: F401  # what is loaded later would not be limited
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # scikit-learn brings it, without types

    with threadpool_limits(1):
        yield
