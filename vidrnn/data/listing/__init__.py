"""DATA becomes named films: folders of classes, and tables with a row for each clip."""
