"""What this repository ships: the label in a model's reply, for the queue that the message goes to."""

LABELS = ("refund", "delivery", "damaged", "cancel", "invoice", "other")


def label_of(reply: str) -> str:
    """The label that a reply is; a reply that is none of them goes to `other`."""
    word = reply.strip().strip(".").lower()
    return word if word in LABELS else "other"
