"""What a network does to an image, operation by operation, in its layers and between them: what each unit sees of it.

Receptive fields are counted along the height, as `arithmetic.receptive_field` does.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils.arithmetic import ReceptiveField, receptive_field

aten = torch.ops.aten  # torch's operations under their own names: F.relu, nn.ReLU and x.relu() are all aten.relu
PRODUCTS = (aten.mm, aten.addmm, aten.bmm, aten.baddbmm)
POOLS = (aten.max_pool2d_with_indices, aten.avg_pool2d, aten.avg_pool3d)  # 3d: local response normalization
ADAPTIVE_POOLS = (aten._adaptive_avg_pool2d, aten.adaptive_max_pool2d)
PLACE_BY_PLACE = (aten.cat, aten.native_batch_norm, aten._to_copy, aten._prelu_kernel)  # beside what torch tags so
FRESH = (aten.new_zeros, aten.zeros_like)  # take their shape from a tensor, and nothing else
SAME = ReceptiveField(1, 1, 0.0)


class Follow(TorchDispatchMode):
    """Carries receptive fields from the image on, operation by operation, and adds up multiply-adds.

    fields[tensor] is what one unit of it sees, None if all; what does not depend on the image is not in it.
    """

    def __init__(self, image):
        super().__init__()
        self.fields, self.multiply_adds = {image: SAME}, 0  # a tensor as a key is itself, whatever it holds

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        output = operation(*arguments, **(keywords or {}))
        self.multiply_adds += _multiply_adds(operation, arguments, output)
        seeing = [tensor for tensor in _tensors(arguments) if tensor in self.fields]
        outputs = _tensors([output])
        if seeing and outputs and operation.overloadpacket not in FRESH:
            before = _union([self.fields[tensor] for tensor in seeing])
            own = _own_field(operation, arguments, seeing, outputs[0])
            self.fields |= dict.fromkeys(outputs, _through(before, own))
        return output


def _tensors(values):
    """The tensors among values, and in lists among them."""
    lists = [value if isinstance(value, (list, tuple)) else [value] for value in values]
    return [value for values in lists for value in values if isinstance(value, torch.Tensor)]


def _multiply_adds(operation, arguments, output):
    if operation.overloadpacket is aten.convolution:
        x, weight, transposed = arguments[0], arguments[1], arguments[6]
        return (x if transposed else output).numel() * weight[0].numel()
    if operation.overloadpacket in PRODUCTS:
        left, right = arguments[-2:]
        return left.numel() * right.shape[-1]
    return 0


def _own_field(operation, arguments, seeing, output):
    """The receptive field that an operation alone has, as if its input were the image; None: it is no window."""
    x, *given = arguments
    kind = operation.overloadpacket
    if kind is aten.convolution:
        weight, _, stride, padding, dilation, transposed, *_ = given
        return None if transposed else _window(weight.shape[2:], stride, padding, dilation)
    if kind in POOLS:
        return _pool(kind, *given)
    if kind in ADAPTIVE_POOLS:
        each, rest = divmod(x.shape[-2], output.shape[-2])
        return None if rest or output.shape[-2] == 1 else ReceptiveField(each, each, (each - 1) / 2)
    if kind is aten.slice:
        return _slice(x, *given)
    if kind is aten.constant_pad_nd:
        return ReceptiveField(1, 1, -float(given[0][2])) if len(given[0]) > 2 else SAME
    stays = torch.Tag.pointwise in operation.tags or operation.is_view or kind in PLACE_BY_PLACE
    return SAME if stays and {tensor.shape[-2:] for tensor in seeing} == {output.shape[-2:]} else None


def _window(kernel_size, stride, padding, dilation):
    return receptive_field([(kernel_size[-2], stride[-2], padding[-2], dilation[-2])])[0]


def _pool(kind, kernel_size, stride=(), padding=(0, 0), *more):
    dilation = more[0] if more and kind is aten.max_pool2d_with_indices else (1, 1)
    return _window(kernel_size, stride or kernel_size, padding, dilation)


def _slice(x, axis=0, start=None, end=None, step=1):
    if axis % x.ndim != x.ndim - 2:
        return SAME
    return ReceptiveField(1, step, float(range(x.shape[axis])[start:end:step].start))


def _through(before, own):
    """The field of an operation, from that of its input and its own: its window counts in jumps of its input."""
    if before is None or own is None:
        return None
    return ReceptiveField(
        before.size + (own.size - 1) * before.jump, before.jump * own.jump, before.start + own.start * before.jump
    )


def _union(fields):
    """What a unit sees along all paths: from the first pixel of any to the last of any."""
    if None in fields or len({field.jump for field in fields}) > 1:
        return None
    first = min(field.start - (field.size - 1) / 2 for field in fields)
    last = max(field.start + (field.size - 1) / 2 for field in fields)
    return ReceptiveField(int(last - first) + 1, fields[0].jump, (first + last) / 2)
