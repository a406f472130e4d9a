"""The command of tf_bigan/run/train.py, from a checkout."""

import sys

from tf_bigan.run import train
from tf_bigan.run.flags import command

if __name__ == "__main__":
    command(train.main, sys.argv, train.__doc__, train.FLAGS)
