"""The lecture's building blocks in plain NumPy, forward and backward; names follow torch.nn.functional."""

from course_utils.scratch.convolution import conv2d, conv2d_backward, conv2d_loops
from course_utils.scratch.gradients import gradient_check

__all__ = ["conv2d", "conv2d_backward", "conv2d_loops", "gradient_check"]
