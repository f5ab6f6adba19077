"""Where runs are tracked besides: an MLflow server or database."""

from pydantic import Field, model_validator

from harness.records import Record

__all__ = ["TrackingConfig"]


class TrackingConfig(Record):
    """MLflow, asked after a run has ended."""

    mlflow: str | None = None
    """`http://127.0.0.1:5000`, `sqlite:///mlflow.db`, `databricks`; without credentials. None: nothing is tracked."""
    experiment: str = "harness"
    """Made where it is not there."""
    python: str | None = None
    """A Python that has mlflow; None: the one that runs the harness."""
    timeout_s: float = Field(default=60.0, gt=0)
    """Longest wait after the runs of a command; what is not sent by then is left out and said."""

    @model_validator(mode="after")
    def _without_credentials(self) -> "TrackingConfig":
        """Of the whole, since a complaint about one key repeats its value."""
        if self.mlflow is not None and "@" in self.mlflow.partition("://")[2].partition("/")[0]:
            msg = (
                "mlflow holds credentials, which would stand in shells and logs; leave them out and set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
            raise ValueError(msg)
        return self
