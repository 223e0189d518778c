"""From a nonlinearity to ResNet: what the notebooks of the course rely on.

Nothing heavy is imported here: each module imports what it needs.
"""

__version__ = "0.1.0"
