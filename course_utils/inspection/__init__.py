"""Looking into networks: layers watched with hooks, the stages of a LeNet, and a summary in rows."""

from course_utils.inspection.hooks import STAGES, Watched, moved, stage_states, watch
from course_utils.inspection.summaries import Row, Summary, summarize

__all__ = ["STAGES", "Row", "Summary", "Watched", "moved", "stage_states", "summarize", "watch"]
