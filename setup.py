"""Packaging of tf_bigan."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (ROOT / "tf_bigan" / "__init__.py").read_text(), re.MULTILINE
)[1]

EXTRAS = {
    "explore": ["gradio>=6.31,<7"],
    "export": ["tf2onnx>=1.17", "onnx>=1.17", "onnxruntime>=1.20", "ai-edge-litert>=1.4"],
    "test": ["pytest>=8", "pytest-xdist>=3.6", "ruff>=0.15", "pandas>=2.2.2", "selenium>=4"],
    # With a newer torch allowed, pip passes over a CPU build of 2.13 for a CUDA build of gigabytes.
    "benchmark": ["torch>=2.5,<2.14", "prdc", "torch-fidelity"],
}

setup(
    name="tf_bigan",
    version=VERSION,
    description="Adversarial feature learning with TensorFlow and Keras 3: BiGAN",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The tf_bigan authors",
    license="MIT",
    packages=find_packages(include=["tf_bigan", "tf_bigan.*"]),
    package_data={"tf_bigan.report": ["page.html", "page.css"]},
    # .ci/pythons tests each of these.
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
    python_requires=">=3.10,<3.14",
    install_requires=[
        line
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ],
    extras_require={
        **EXTRAS,
        "dev": sorted(sum(EXTRAS.values(), [])),  # all that the tests use
        "gpu": ["tensorflow[and-cuda]>=2.20"],
    },
)
