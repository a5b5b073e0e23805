"""The audit, step by step; start with `audit.py`."""
