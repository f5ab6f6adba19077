"""Which engine a run gets, and what is refused before a cluster is asked."""

from pathlib import Path

import pytest

from harness.config import ExecutorConfig, VllmConfig
from harness.errors import ConfigError
from harness.executor import spread
from tests.support.echo_job import SAMPLES, Attached, echo_job


@pytest.mark.parametrize(
    ("gpus", "parallel", "said"),
    [
        (4, 2, "write backend.tensor_parallel=4, or executor.gpus=1 for replicas"),
        (1, 2, "add executor.gpus=2"),
        (0, 2, "add executor.gpus=2"),
    ],
)
def test_gpus_that_do_not_fit_a_replica_of_vllm_are_refused(gpus: int, parallel: int, said: str) -> None:
    config = echo_job("http://127.0.0.1:9/v1", Path()).config.model_copy(
        update={
            "backend": VllmConfig(name="vllm", tensor_parallel=parallel),
            "executor": ExecutorConfig(name="ray", gpus=gpus),
        }
    )

    with pytest.raises(ConfigError, match=said):
        spread(Attached("http://127.0.0.1:9/v1"), config, SAMPLES, None)


def test_without_ray_the_engine_is_what_it_was() -> None:
    backend = Attached("http://127.0.0.1:9/v1")

    assert spread(backend, echo_job(backend.url, Path()).config, SAMPLES, None) is backend
