"""All that is to be known of the package is in pyproject.toml."""

from setuptools import setup

setup()
