"""Measuring the program: five evaluations, each a function from a data folder to a JSON-ready dict."""
