"""Tools for those who write the course: record the notebooks, make slides, make the learners' exercises."""
