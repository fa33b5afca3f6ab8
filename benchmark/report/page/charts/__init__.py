"""The page's charts, as SVG."""
