"""What runs in a user's program: each call goes to a small model or to the backbone, as a certified policy says.

    from harness.router import Router, http_client
    router = Router("results/route/…", {"slm": http_client(…), "llm": http_client(…)}, log="calls/")
    response = await router.acompletion({"messages": […], "tools": […]}, session="ticket 4711")

A call never fails because of the router; `control.json` beside the policy says how much traffic it gets.
"""

from harness.router.clients import Client, HttpClient, http_client
from harness.router.router import Router, RouterOptions

__all__ = ["Client", "HttpClient", "Router", "RouterOptions", "http_client"]
