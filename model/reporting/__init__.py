"""A report on a checkpoint as one page of HTML: what is measured, the drawings as SVG, and the page."""
