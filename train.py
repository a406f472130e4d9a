"""The command `tf-bigan train`, from a checkout."""

from tf_bigan.__main__ import main

if __name__ == "__main__":
    main("train")
