"""Exercises: instant feedback for learners, class releases and sandboxed grading for teachers."""

from course_utils.exercises.learner import case, check, hint

__all__ = ["case", "check", "hint"]
