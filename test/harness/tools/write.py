"""Writes data sets with the tools that people write them with, and expected.json with what these tools read in them."""

import json

from common import expected, root, tools

# One after another, for they draw from one generator.
import files  # noqa: F401
import image_modes  # noqa: F401
import published  # noqa: F401

(root / "expected.json").write_text(json.dumps(dict(tools=tools, sets=expected)))
