"""The whole audit, step by step; `audit.py` is where to start."""
