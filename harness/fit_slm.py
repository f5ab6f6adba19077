"""Whether a model is a small one here: the definition of Belcak et al. as a verdict with stated thresholds.

arXiv:2506.02153, section 2: a language model that fits onto a common consumer electronic device and answers with a
latency low enough to be practical when it serves the agentic requests of one user. The paper gives no figures; ours are
the target's usable memory (`hardware`), `ttft_s` and `tokens_per_s`.
"""

from dataclasses import dataclass
from typing import Literal

from harness.fit import Verdict

__all__ = ["Latency", "Practical", "SlmVerdict", "practical", "slm_verdict", "tokens_per_s_bound"]

_REACHED = 0.5
"""Share of the memory bandwidth that generation is taken to reach; an assumption. Where the answer differs between this
share and all of the bandwidth, an estimate decides nothing."""


@dataclass(frozen=True, slots=True)
class Latency:
    """What was measured with one user at a time: medians over a run."""

    ttft_s: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Practical:
    """Whether one user is served fast enough, and how that is known."""

    verdict: bool | None
    basis: Literal["measured", "estimated", "unknown"]
    why: str


@dataclass(frozen=True, slots=True)
class SlmVerdict:
    """Small in the paper's sense on one target; None where a part is not known."""

    verdict: bool | None
    why: str


def tokens_per_s_bound(bandwidth_gbs: float | None, bytes_per_token: int | None) -> float | None:
    """Tokens a second that memory allows at most: bandwidth / bytes read per token (all weights once); None if unknown.

    bandwidth_gbs: GB/s, 1e9 bytes. A mixture of experts reads less than all of its weights, and may exceed this.
    >>> tokens_per_s_bound(50, 2_500_000_000)
    20.0
    """
    if bandwidth_gbs is None or not bytes_per_token:
        return None
    return bandwidth_gbs * 1e9 / bytes_per_token


def practical(measured: Latency | None, bound: float | None, *, ttft_s: float, tokens_per_s: float) -> Practical:
    """Whether the latency is practical: measured where it was, else from the bound where that is enough to tell.

    From the bound: no where even all of the bandwidth is too slow, yes where half of it is fast enough.
    """
    if measured is not None:
        fine = measured.ttft_s <= ttft_s and measured.tokens_per_s >= tokens_per_s
        seen = f"TTFT {measured.ttft_s:.2g} s, {measured.tokens_per_s:.3g} tokens/s measured"
        return Practical(fine, "measured", seen)
    if bound is None:
        return Practical(None, "unknown", "no run, and no memory bandwidth in hardware")
    said = f"at most {bound:.3g} tokens/s by bandwidth"
    if bound < tokens_per_s:
        return Practical(False, "estimated", said)
    return Practical(True if bound * _REACHED >= tokens_per_s else None, "estimated", said)


def slm_verdict(fit: Verdict | None, latency: Practical, *, consumer: bool | None) -> SlmVerdict:
    """Small where the target is a consumer device, the model fits it, and its latency there is practical.

    One certain no decides; else one unknown leaves it open.
    """
    if consumer is False:
        return SlmVerdict(None, "this target is no consumer device; choose one: hardware=laptop_16gb")
    if fit == "no":
        return SlmVerdict(False, "does not fit")
    if latency.verdict is False:
        return SlmVerdict(False, latency.why)
    if consumer is None or fit is None or latency.verdict is None:
        return SlmVerdict(None, latency.why if latency.verdict is None else "memory of the target unknown")
    return SlmVerdict(True, latency.why)
