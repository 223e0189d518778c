"""The course's data sets by name: embedded ones that are always there, and published ones, checksummed.

`load` is all that most chapters need.
"""

from course_utils.datasets.embedded import CREDITS, photographs
from course_utils.datasets.finding import DataUnavailable, course_data
from course_utils.datasets.sets import Dataset, Parts, available, describe, fetch, load, parts, present
from course_utils.datasets.splits import SPLITS, held_out, statistics

__all__ = [
    "CREDITS",
    "SPLITS",
    "DataUnavailable",
    "Dataset",
    "Parts",
    "available",
    "course_data",
    "describe",
    "fetch",
    "held_out",
    "load",
    "parts",
    "photographs",
    "present",
    "statistics",
]
