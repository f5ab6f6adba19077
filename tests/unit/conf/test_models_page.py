"""docs/models.md follows conf/, and what it tells about adding a model works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir

from harness.config import RunConfig, parse, register_defaults
from harness.paths import conf_dir

DOCS = Path(__file__).parents[3] / "docs"


def check(script: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)


def test_page_follows_the_configuration() -> None:
    done = check(DOCS / "generate_models.py")

    assert done.stderr == ""
    assert done.returncode == 0


def test_page_that_is_behind_is_told_and_left_alone(tmp_path: Path) -> None:
    script = Path(shutil.copy(DOCS / "generate_models.py", tmp_path))
    shutil.copy(DOCS / "generated.py", tmp_path)
    (tmp_path / "models.md").write_text("old")

    done = check(script)

    assert done.returncode == 1
    assert "python docs/generate_models.py" in done.stderr
    assert (tmp_path / "models.md").read_text() == "old"


def test_example_of_the_page_is_a_model(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", (DOCS / "models.md").read_text(), re.DOTALL)
    assert found is not None
    conf = tmp_path / "conf"
    shutil.copytree(conf_dir(), conf)
    (conf / "model" / "my_model.yaml").write_text(found[1])

    register_defaults()
    with initialize_config_dir(str(conf), version_base="1.3"):
        parsed = parse(compose("config", overrides=["model=my_model"]))

    assert isinstance(parsed, RunConfig)
    assert parsed.model.name == "my_model"
    assert parsed.model.weights.gguf is not None
