"""Makes data sets of the legacy release's shape, at any size, with dirt by measure.

`generate` writes the ten product and review files and a manifest that says what an
import must make of every line.
"""

from etl.dataset.generator import DirectoryNotEmptyError, Progress, generate
from etl.dataset.manifest import FileCount, Manifest

__all__ = ["DirectoryNotEmptyError", "FileCount", "Manifest", "Progress", "generate"]
