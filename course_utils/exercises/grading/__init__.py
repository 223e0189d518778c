"""All that a class needs: student versions, a sandbox for what comes back, marks, nbgrader's gradebook."""

from course_utils.exercises.grading.batch import grade

__all__ = ["grade"]
