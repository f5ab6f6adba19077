"""The LiteLLM configuration of a policy: where each model is served, and that litellm itself takes it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.errors import ConfigError
from harness.records.manifest import Manifest
from harness.route.export import PROVIDER, export_litellm
from tests.support.report_runs import made_manifest
from tests.support.route_proxy import LARGE, SMALL, policy_of


def manifest(name: str, model: dict[str, Any], backend: dict[str, Any], *, served: str | None = None) -> Manifest:
    """A run of a model; `served`: the harness had started its engine, which calls it so."""
    made = made_manifest(name, name, "native", "Q4_1", "2026-11-22T00:00:00Z", "0" * 64)
    facts = made.backend.model_copy(update={"served_model": served}) if made.backend and served else None
    return made.model_copy(update={"config": {"model": model, "backend": backend}, "backend": facts})


SMALL_RUN = manifest(SMALL, {"name": SMALL}, {"name": "llamacpp"}, served="smollm2")
PRICE = {"input_usd_per_mtok": 2.0, "output_usd_per_mtok": 8.0, "cached_input_usd_per_mtok": None, "as_of": "2026-11"}
LARGE_RUN = manifest(
    LARGE,
    {"name": "gpt-4.1", "url": "https://example.org/v1", "api_key_env": "MY_KEY", "price": PRICE},
    {"name": "endpoint", "extra_body": {"top_k": 1}},
)


def exported(folder: Path, large: Manifest = LARGE_RUN) -> dict[str, Any]:
    export_litellm(folder, policy_of(-0.5), {SMALL: SMALL_RUN, LARGE: large})
    found = yaml.safe_load((folder / "litellm.yaml").read_text(encoding="utf-8"))
    return {one["model_name"]: one["litellm_params"] for one in found["model_list"]}


def test_an_attached_server_is_reached_where_the_run_reached_it(tmp_path: Path) -> None:
    found = exported(tmp_path)[LARGE]

    assert found["model"] == f"openai/{LARGE}"
    assert found["api_base"] == "https://example.org/v1"
    assert found["api_key"] == "os.environ/MY_KEY"
    assert found["extra_body"] == {"top_k": 1}


def test_prices_stand_where_litellm_reads_them_once(tmp_path: Path) -> None:
    export_litellm(tmp_path, policy_of(-0.5), {SMALL: SMALL_RUN, LARGE: LARGE_RUN})

    found = yaml.safe_load((tmp_path / "litellm.yaml").read_text(encoding="utf-8"))["model_list"]
    told = {one["model_name"]: one.get("model_info") for one in found}

    assert told == {
        "agents": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
        SMALL: None,
        LARGE: {"input_cost_per_token": pytest.approx(2e-6), "output_cost_per_token": pytest.approx(8e-6)},
    }


def test_a_hosted_model_keeps_litellms_name_and_the_providers_own_variable(tmp_path: Path) -> None:
    hosted = manifest(
        LARGE,
        {"name": "anthropic/claude", "hosted": True},
        {"name": "litellm", "extra_body": {"api_version": "2024-10-21"}},
        served="anthropic/claude",
    )

    found = exported(tmp_path, hosted)[LARGE]

    assert found == {"model": "anthropic/claude", "api_version": "2024-10-21"}


def test_a_model_that_the_harness_served_gets_an_address_and_the_command_that_serves_it(tmp_path: Path) -> None:
    notes = export_litellm(tmp_path, policy_of(-0.5), {SMALL: SMALL_RUN, LARGE: LARGE_RUN})

    found = exported(tmp_path)[SMALL]
    assert found["api_base"] == "http://127.0.0.1:8081/v1"
    assert (found["num_retries"], found["max_retries"]) == (0, 0)
    assert any(
        "llama-server --host 127.0.0.1 --port 8081 --jinja --alias smollm2 --model smollm2.gguf" in one for one in notes
    )


def test_a_run_of_recorded_answers_does_not_say_where_its_model_is(tmp_path: Path) -> None:
    recorded = manifest(LARGE, {"name": LARGE}, {"name": "recorded"})

    notes = export_litellm(tmp_path, policy_of(-0.5), {SMALL: SMALL_RUN, LARGE: recorded})

    assert any(one.startswith(f"{LARGE}: its run does not say where it is served") for one in notes)


def test_no_key_and_no_place_outside_the_folder_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-" + "q" * 20)
    export_litellm(tmp_path, policy_of(-0.5), {SMALL: SMALL_RUN, LARGE: LARGE_RUN})

    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())

    assert "qqqq" not in written
    assert str(tmp_path) not in written
    assert "master_key: os.environ/LITELLM_MASTER_KEY" in written


def test_a_model_called_as_the_router_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"a model of the policy is called {SMALL}, the name that agents call"):
        export_litellm(tmp_path, policy_of(-0.5), {SMALL: SMALL_RUN, LARGE: LARGE_RUN}, public=SMALL)


def test_a_policy_whose_run_is_not_given_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"the run of {LARGE} is not given"):
        export_litellm(tmp_path, policy_of(-0.5), {SMALL: SMALL_RUN})


PROGRAM = """
import sys, yaml, litellm
from litellm.llms.custom_llm import CustomLLM
found = yaml.safe_load(open(sys.argv[1]))
(one,) = found["litellm_settings"]["custom_provider_map"]
litellm.custom_provider_map = [{"provider": one["provider"], "custom_handler": CustomLLM()}]
litellm.utils.custom_llm_setup()
models = litellm.Router(model_list=found["model_list"], ignore_invalid_deployments=False)
for name in models.get_model_names():
    params = models.get_deployment_by_model_group_name(name).litellm_params
    print(name, litellm.get_llm_provider(model=params.model, api_base=params.api_base)[1], params.api_key)
"""


def test_litellm_takes_every_model_of_the_file(tmp_path: Path) -> None:
    pytest.importorskip("litellm", reason="litellm is not installed; type: make suites")
    exported(tmp_path)
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "MY_KEY": "from-the-environment"}

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "litellm.yaml")],
        capture_output=True, text=True, check=False, timeout=600, env=environment, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(done.stdout.splitlines()[-3:]) == sorted(
        [f"agents {PROVIDER} None", f"{SMALL} openai none", f"{LARGE} openai from-the-environment"]
    )
