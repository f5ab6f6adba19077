"""Benchmarking and evaluation of small and large language models on agentic tasks."""

__version__ = "0.1.0"
