"""For tools that need this file; the metadata is in pyproject.toml."""

from setuptools import setup

setup()
