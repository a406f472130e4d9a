"""The command of tf_bigan/run/evaluate.py, from a checkout."""

import sys

from tf_bigan.run import evaluate
from tf_bigan.run.flags import command

if __name__ == "__main__":
    command(evaluate.main, sys.argv, evaluate.__doc__, evaluate.FLAGS)
