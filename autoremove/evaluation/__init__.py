"""Measuring the program: four evaluations, each a function from a data folder to a JSON-ready dict."""
