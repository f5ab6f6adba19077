"""A policy's folder as a program loads it: checked at the start, so that no call meets a damaged one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.errors import DataError
from harness.records.route import ModelTarget, RoutePolicy
from harness.router.decide import Plan, plan_of

__all__ = ["INDEX", "POLICY", "Deployed", "load_policy"]

POLICY: Final = "policy.json"
INDEX: Final = "index.npz"


@dataclass(frozen=True, slots=True)
class Deployed:
    """A policy with what it is known by."""

    folder: Path
    plan: Plan
    sha256: str
    """Of `policy.json`, byte for byte."""

    @property
    def policy(self) -> RoutePolicy:
        """What the file says."""
        return self.plan.policy

    def priced(self, prices: Mapping[str, tuple[float, float]]) -> "Deployed":
        """With other prices of the models by these names: USD for a million tokens in and out."""
        if not prices:
            return self

        def with_price(target: ModelTarget) -> ModelTarget:
            if target.name not in prices:
                return target
            into, out = prices[target.name]
            return target.model_copy(update={"usd_per_mtok_in": float(into), "usd_per_mtok_out": float(out)})

        experts = tuple(with_price(one) for one in self.policy.experts)
        policy = self.policy.model_copy(update={"experts": experts, "backbone": with_price(self.policy.backbone)})
        return Deployed(self.folder, plan_of(policy), self.sha256)

    @property
    def id(self) -> str:
        """Name and first 12 digits of the hash, as decisions carry it."""
        return f"{self.policy.name}@{self.sha256[:12]}"


def load_policy(folder: Path, sha256: str | None = None) -> Deployed:
    """The policy in a folder of `results/route`.

    sha256: what `policy.json` must hash to, whole or its first digits (12 or more). Raises DataError where the file is
    missing, damaged, contradicts itself, or is another.
    """
    path = folder / POLICY
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); name a folder that do=route has made") from None
    digest = hashlib.sha256(data).hexdigest()
    if sha256 is not None and (len(sha256) < 12 or not digest.startswith(sha256.lower())):
        raise DataError(f"{path} is {digest[:12]}…, and {sha256[:12]}… was asked for; copy the folder that you mean")
    try:
        policy = RoutePolicy.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path} is damaged: {where}: {first['msg']}; make the policy anew with do=route") from None
    return Deployed(folder, plan_of(policy), digest)
