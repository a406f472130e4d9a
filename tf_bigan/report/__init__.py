"""Reports: tables, image grids, charts and the HTML page."""

from tf_bigan.report.heat_map import heat_maps
from tf_bigan.report.latent_map import latent_map
from tf_bigan.report.line_chart import line_chart
from tf_bigan.report.page import report_html
from tf_bigan.report.parts import Figure, Report, Section, Table
from tf_bigan.report.pictures import (
    enlarged,
    image_grid,
    originals_over_reconstructions,
    png_bytes,
    save_png,
    shrunk,
)
from tf_bigan.report.png import report_png
from tf_bigan.report.table import csv_table, format_table, markdown_table

__all__ = [
    "Figure",
    "Report",
    "Section",
    "Table",
    "csv_table",
    "enlarged",
    "format_table",
    "heat_maps",
    "image_grid",
    "latent_map",
    "line_chart",
    "markdown_table",
    "originals_over_reconstructions",
    "png_bytes",
    "report_html",
    "report_png",
    "save_png",
    "shrunk",
]
