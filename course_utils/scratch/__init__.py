"""The lecture's building blocks in plain NumPy, forward and backward; names follow torch.nn.functional."""

from course_utils.scratch.convolution import conv2d, conv2d_backward, conv2d_loops
from course_utils.scratch.dropout import dropout, dropout_backward, dropout_mask
from course_utils.scratch.gradients import gradient_check
from course_utils.scratch.initialization import (
    fan_in_out,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    torch_heuristic,
)
from course_utils.scratch.nonlinearities import (
    elu,
    elu_grad,
    leaky_relu,
    leaky_relu_grad,
    lecun_tanh,
    lecun_tanh_grad,
    log_softmax,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    softmax,
    softmax_backward,
    tanh,
    tanh_grad,
)
from course_utils.scratch.normalization import batch_norm, batch_norm_backward, update_running

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "conv2d",
    "conv2d_backward",
    "conv2d_loops",
    "dropout",
    "dropout_backward",
    "dropout_mask",
    "elu",
    "elu_grad",
    "fan_in_out",
    "glorot_normal",
    "glorot_uniform",
    "gradient_check",
    "he_normal",
    "he_uniform",
    "leaky_relu",
    "leaky_relu_grad",
    "lecun_normal",
    "lecun_tanh",
    "lecun_tanh_grad",
    "lecun_uniform",
    "log_softmax",
    "relu",
    "relu_grad",
    "sigmoid",
    "sigmoid_grad",
    "softmax",
    "softmax_backward",
    "tanh",
    "tanh_grad",
    "torch_heuristic",
    "update_running",
]
