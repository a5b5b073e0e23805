"""The command line: audit a file, render a report again, run the demo."""
