"""Settings of a cluster's workers are refused where there is no cluster."""

import pytest
from pydantic import ValidationError

from harness.config import ExecutorConfig


@pytest.mark.parametrize("told", [{"workers": 3}, {"gpus": 1.0}, {"address": "auto"}, {"runs": 2}, {"cpus": 2.0}])
def test_what_only_a_cluster_has_is_refused_without_one(told: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=f"{next(iter(told))}=.* is of a Ray cluster's workers; add executor=ray"):
        ExecutorConfig.model_validate({"name": "local", **told})

    assert ExecutorConfig.model_validate({"name": "ray", **told}).name == "ray"


def test_a_configuration_written_whole_is_read_again() -> None:
    whole = ExecutorConfig(cores=2)

    assert ExecutorConfig.model_validate(whole.model_dump()) == whole
