"""Exercises: instant feedback for learners, class releases and sandboxed grading for teachers."""

from course_utils.exercises.checking import check, hint

__all__ = ["check", "hint"]
