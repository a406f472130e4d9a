"""The command `tf-bigan detect`: scores pictures by how unusual they are among normal ones.

__main__.py  the command
page.py      the report of the strangest and the most usual pictures
"""
