"""Sphinx configuration: python -m sphinx -W docs docs/_build/html (needs the extra `docs`; no network)."""

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from samplingtheory import __version__  # noqa: E402

project = "samplingtheory"
author = "The samplingtheory developers"
copyright = author
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "mathml", "pages"]
exclude_patterns = ["_build", "_ext"]
nitpicky = False
templates_path: list[str] = []

myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]
html_math_renderer = "mathml"

nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "notebooks")
nb_execution_timeout = 60
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_mock_imports = [name for name in ("torch", "hypothesis") if find_spec(name) is None]  # other extras
autodoc_typehints = "signature"
html_theme = "alabaster"
html_static_path = ["_static"]
html_css_files = ["docs.css", "claims.css"]
html_title = "samplingtheory"
html_theme_options = {
    "description": "Theorems about adaptive sampling, put to the test", "fixed_sidebar": True, "page_width": "1180px",
    "sidebar_width": "230px", "show_powered_by": False, "font_family": "system-ui, 'Segoe UI', Roboto, sans-serif",
    "head_font_family": "Charter, 'Iowan Old Style', 'Palatino Linotype', Georgia, serif", "link": "#0072b2",
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_show_sourcelink = False
html_copy_source = False
