"""Which variants come into question at all: by licence, memory, place and pace, before any outcome is looked at."""

from harness.config import HardwareConfig, SelectOptions
from harness.fit import GIB, judge
from harness.records.decision import Variant

__all__ = ["barred", "usable_bytes"]


def usable_bytes(options: SelectOptions, hardware: HardwareConfig) -> int | None:
    """Memory that a variant may take: as typed, else what the named hardware leaves; None: no limit."""
    if options.memory_gb is not None:
        return round(options.memory_gb * GIB)
    gigabytes = hardware.gpu_memory_gb or hardware.memory_gb
    return None if gigabytes is None else round(gigabytes * GIB * hardware.usable_frac)


def barred(variant: Variant, options: SelectOptions, hardware: HardwareConfig) -> str | None:
    """Why a variant is left out; None where nothing speaks against it.

    What a constraint asks for and nobody told counts as not held. Memory is no matter for hosted models.
    """
    return _by_terms(variant, options) or _by_memory(variant, options, hardware) or _by_pace(variant, options)


def _by_terms(variant: Variant, options: SelectOptions) -> str | None:
    if options.hosted is not None and variant.hosted != options.hosted:
        return f"{'hosted' if variant.hosted else 'local'}, and select.hosted={str(options.hosted).lower()}"
    if options.licences is not None:
        allowed = {one.casefold() for one in options.licences}
        if variant.licence is None or variant.licence.casefold() not in allowed:
            return f"licence {variant.licence or 'not told'}, allowed: {', '.join(options.licences)}"
    if options.languages is not None:
        missing = [one for one in options.languages if one not in variant.languages]
        if missing:
            return f"language {', '.join(missing)} not among {', '.join(variant.languages) or 'those told (none)'}"
    if options.context_tokens is not None and (variant.context_tokens or 0) < options.context_tokens:
        told = "not told" if variant.context_tokens is None else f"{variant.context_tokens:,} tokens"
        return f"context {told}, at least {options.context_tokens:,} asked for"
    return None


def _by_memory(variant: Variant, options: SelectOptions, hardware: HardwareConfig) -> str | None:
    usable = usable_bytes(options, hardware)
    if usable is None or variant.hosted:
        return None
    where = "select.memory_gb" if options.memory_gb is not None else hardware.title
    if variant.memory_bytes is None:
        return f"memory not known, {usable / GIB:.1f} GiB usable ({where})"
    if judge(variant.memory_bytes, usable).verdict == "no":
        need = f"{variant.memory_bytes / GIB:.2f} GiB ({variant.memory_from})"
        return f"needs {need}, {usable / GIB:.2f} usable ({where})"
    return None


def _by_pace(variant: Variant, options: SelectOptions) -> str | None:
    limits = (
        ("p95 to the first token", variant.ttft_p95_s, options.ttft_p95_s),
        ("p95 of the whole reply", variant.e2e_p95_s, options.e2e_p95_s),
    )
    for name, seen, most in limits:
        if most is not None and (seen is None or seen > most):
            return f"{name} {'not measured' if seen is None else f'{seen:.3g} s'}, at most {most:g} s asked for"
    least = options.tokens_per_s
    if least is not None and (variant.tokens_per_s is None or variant.tokens_per_s < least):
        told = "not measured" if variant.tokens_per_s is None else f"{variant.tokens_per_s:.3g}"
        return f"tokens per second {told}, at least {least:g} asked for"
    return None
