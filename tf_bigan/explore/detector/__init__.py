"""The page of a fitted `BiGANDetector`: `tf-bigan explore --detector=FILE`.

explorer.py  loads a detector, and asks it everything about one image
markup.py    the answers as HTML
page.py      the page, in Gradio
"""
