"""The store of collected calls: Parquet, each message once, encrypted if a key is given."""

from harness.logs.store.key import StoreKey, store_key
from harness.logs.store.rewrite import Forgotten
from harness.logs.store.store import LogStore

__all__ = ["Forgotten", "LogStore", "StoreKey", "store_key"]
