"""Training on a cluster's rows: planned, estimated, done by a program of its own, stopped by the task's own metric."""

from harness.convert.training.curve import learning_curve
from harness.convert.training.estimate import estimate
from harness.convert.training.plan import base_checkpoint, plan_of
from harness.convert.training.run import train

__all__ = ["base_checkpoint", "estimate", "learning_curve", "plan_of", "train"]
