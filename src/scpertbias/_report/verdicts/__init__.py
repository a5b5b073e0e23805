"""The verdicts of a report, one file each."""
