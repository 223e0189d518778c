"""The lecture's claims of Part III, 09 to 13, a test each, named by its id: test_L34_what_it_says.

To add one: keep the order of the ids, compute the claim from `course_utils` (never from numbers copied out of a
notebook), say in the docstring what the slide says and, for an erratum, what is right; an erratum asserts both, that
the printed form fails and that the right one holds.
"""


def test_L41_lenet_stacks_stages_of_features_and_ends_in_a_classifier():
    """Slide 35, on the paper's LeNet-5: convolution and subsampling in turn, each stage with a larger field and after
    training a more invariant state, a linear classifier reading the features better than the pixels; and its 60,000.
    The invariance of F6, and that it can be read, are the training's work and not the architecture's."""
    from copy import deepcopy
    from dataclasses import replace

    import torch
    from torch.nn.functional import one_hot

    from course_utils import datasets, machine, models, training
    from course_utils.arithmetic import receptive_field
    from course_utils.datasets.batches import Batches
    from course_utils.inspection import stage_states

    machine.seed_everything(0)
    net = models.build("lenet5", distance_scale=1 / 42)
    untrained = deepcopy(net)
    names = ("c1", "s2", "c3", "s4", "c5", "f6")
    stages = [sum(parameter.numel() for parameter in getattr(net, name).parameters()) for name in names]
    assert stages == [156, 12, 1_516, 32, 48_120, 10_164] and sum(stages) == 60_000
    sizes = [field.size for field in receptive_field([(5, 1, 0, 1), (2, 2, 0, 1)] * 2 + [(5, 1, 0, 1)])]
    assert sizes == [5, 6, 14, 16, 32]

    train, validation = (datasets.load("digits", split) for split in ("train", "validation"))
    recipe = replace(training.recipe_for("quick", "digits"), epochs=5, learning_rate=0.3)
    training.fit(net, train, validation, recipe, quiet=True)

    def states(net, dataset, reach):
        """States of all images, each moved by up to `reach` pixels, and of those images one pixel further right."""
        batches = Batches(dataset, torch.device("cpu"), 32, shift=reach + 1)
        moves = torch.randint(1, 2 * reach + 2, (len(dataset), 2), generator=torch.Generator().manual_seed(0))
        here, further = (batches.batch(torch.arange(len(dataset)), m)[0] for m in (moves, moves - torch.tensor([0, 1])))
        return ({"input": x, **stage_states(net, x)} for x in (here, further))

    def change(net):
        """How far states move with the image, relative to the distance between the states of two images."""
        still, moved = states(net, validation, 0)
        return {k: (moved[k] - still[k]).norm() / (still[k].roll(7, dims=0) - still[k]).norm() for k in still}

    before, after = change(untrained), change(net)
    assert after["input"] > after["c1"] > after["c3"] > after["c5"] > after["f6"]  # more invariant
    assert after["f6"] < after["input"] / 2 and after["f6"] < 0.7 * before["f6"]

    some = replace(train, images=train.images[:600], labels=train.labels[:600])

    def readout(net, stage):
        """Accuracy of ridge regression on the states of a stage."""
        seen, new = next(states(net, some, 4)), next(states(net, validation, 4))
        x, new = (torch.nn.functional.pad(s[stage].flatten(1), (0, 1), value=1) for s in (seen, new))
        kernel = x @ x.T + 10 * torch.eye(len(x))
        scores = new @ (x.T @ torch.linalg.solve(kernel, one_hot(some.labels, 10).float()))
        return (scores.argmax(1) == validation.labels).double().mean().item()

    assert readout(net, "s4") > readout(net, "input") + 0.1
    assert readout(net, "f6") > readout(untrained, "f6") + 0.1


def test_L42_first_layers_of_alexnet_zeiler_fergus_and_vgg():
    """Slide 69: first layers of 11 x 11, stride 4 (AlexNet), 7 x 7, stride 2 (Zeiler & Fergus), 3 x 3, stride 1
    (VGGNet). AlexNet's paper says 224 x 224 and 55 x 55 outputs: without padding these need 227."""
    import torch
    from torch import nn

    from course_utils import models
    from course_utils.arithmetic import output_size, unused
    from course_utils.inspection import summarize

    for name, size, stride in (("alexnet", 11, 4), ("zfnet", 7, 2), ("vgg16", 3, 1)):
        with torch.device("meta"):
            net = models.build(name)
        first = next(layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
        assert (first.kernel_size, first.stride) == ((size, size), (stride, stride))
        row = summarize(net, (3, 224, 224)).rows[0]
        assert row.receptive_field is not None and row.receptive_field.size == size
    assert output_size(224, 11, 4) == 54 and unused(224, 11, 4) == 1
    assert [n for n in range(219, 235) if output_size(n, 11, 4) == 55 and not unused(n, 11, 4)] == [227]
    assert output_size(224, 11, 4, 2) == 55


def test_L43_two_3x3_layers_see_5x5_and_three_see_7x7():
    """Slide 69: stacked 3 x 3 layers, by the recursion and by the gradient of one unit."""
    import torch
    from torch import nn

    from course_utils.arithmetic import receptive_field

    torch.manual_seed(0)
    for layers, side in ((1, 3), (2, 5), (3, 7)):
        assert receptive_field([(3, 1, 1, 1)] * layers)[-1].size == side
        image = torch.randn(1, 2, 15, 15, requires_grad=True)
        stack = nn.Sequential(*(nn.Conv2d(2, 2, 3, padding=1) for _ in range(layers)))
        stack(image)[0, 0, 7, 7].backward()
        assert image.grad is not None
        seen = (image.grad[0] != 0).any(dim=0).nonzero()
        assert len(seen) == side**2 and (seen - 7).abs().max() == side // 2


def test_L44_three_3x3_cost_27_where_one_7x7_costs_49():
    """Slide 69: 27 against 49 weights for each pair of an input and an output map, and multiply-adds likewise. True if
    all layers have equally many maps: from 3 colours to 64 maps the stack is dearer. In between come nonlinearities:
    without them the stack is one 7 x 7 kernel, but not each kernel is such a stack."""
    import torch
    from torch.nn import functional as F

    from course_utils.arithmetic import conv_multiply_adds, conv_parameters

    for maps in (1, 16, 512):
        three, one = (n * conv_parameters(maps, maps, k, bias=False) for n, k in ((3, 3), (1, 7)))
        assert (three, one) == (27 * maps**2, 49 * maps**2)
        three, one = (n * conv_multiply_adds(maps, maps, k, 14) for n, k in ((3, 3), (1, 7)))
        assert three * 49 == one * 27
    first = sum(conv_parameters(*pair, 3, bias=False) for pair in ((3, 64), (64, 64), (64, 64)))
    assert first == 75_456 > 8 * conv_parameters(3, 64, 7, bias=False)

    def stack(x, kernels):
        for kernel in kernels:
            x = F.conv2d(x, kernel)
        return x

    generator = torch.Generator().manual_seed(0)
    kernels = torch.randn(3, 1, 1, 3, 3, generator=generator, dtype=torch.float64)
    x = torch.randn(1, 1, 12, 12, generator=generator, dtype=torch.float64)
    point = torch.zeros(1, 1, 13, 13, dtype=torch.float64)
    point[..., 6, 6] = 1

    def whole(kernels):
        return stack(point, kernels).flip(2, 3)  # the answer to a point is the kernel, turned round

    assert torch.allclose(F.conv2d(x, whole(kernels)), stack(x, kernels), atol=1e-12)
    moves = torch.autograd.functional.jacobian(whole, kernels)
    assert torch.linalg.matrix_rank(moves.reshape(49, 27)) == 25


def test_L45_inception_naive_and_reduced():
    """Slide 70: the module with filters of several scales, naive (a) and with 1 x 1 reductions (b). Nine naive modules
    cost eleven times as much: large windows read all maps, and the pooling passes all on. Slide 71: auxiliary
    classifiers for the lower layers, "deprecated": before training, the gradient arrives without them where the
    weights follow He's rule."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    from course_utils import inspection, machine, models
    from course_utils.arithmetic import receptive_field
    from course_utils.authors.experiments.inception_parts import Naive
    from course_utils.models.googlenet import TABLE, Inception

    total = {"naive": 0, "reduced": 0}
    before = dict.fromkeys(total, 192)
    with torch.device("meta"):
        for name, widths in TABLE.items():
            size = {"3": 28, "4": 14, "5": 7}[name[-2]]
            modules = {"naive": Naive(before["naive"], widths[0], widths[2], widths[4])}
            modules["reduced"] = Inception(before["reduced"], *widths)
            for kind, module in modules.items():
                total[kind] += inspection.summarize(module, (before[kind], size, size)).multiply_adds
                before[kind] = module.out_channels
    assert 10 < total["naive"] / total["reduced"] < 12 and before == {"naive": 4944, "reduced": 1024}
    scales = [receptive_field([(k, 1, k // 2, 1)])[-1].size for k in (1, 3, 5)]
    assert scales == [1, 3, 5]

    def gain(std):
        """By how much the heads lengthen the gradient behind the first layer."""
        machine.seed_everything(0)
        net, x = models.build("googlenet", num_classes=10, auxiliary=True).train(), torch.randn(1, 3, 224, 224)
        for layer in net.modules() if std else ():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(layer.weight, std=std)
        loss, *others = (F.cross_entropy(scores, torch.tensor([3])) for scores in net(x))
        weight = net.trunk.conv1.conv.weight
        main = torch.autograd.grad(loss, weight, retain_graph=True)[0].norm()
        return torch.autograd.grad(loss + net.auxiliary_weight * sum(others), weight)[0].norm() / main

    assert gain(None) < 2 and gain(0.01) > 1000


def test_L46_alexnet_has_8_layers():
    """Slide 73: 8 layers. Counted are those with weights: five convolutions and three fully connected layers."""
    import torch
    from torch import nn

    from course_utils import models

    with torch.device("meta"):
        layers = [type(layer) for layer in models.build("alexnet").modules() if list(layer.parameters(recurse=False))]
    assert layers == [nn.Conv2d] * 5 + [nn.Linear] * 3


def test_L46_vgg_has_up_to_19_layers():
    """Slide 73: 19 layers, of configuration E; 16 of them are convolutions. A has 11, B 13, C and D 16."""
    import torch
    from torch import nn

    from course_utils import models
    from course_utils.models.vgg import TABLE_1

    with torch.device("meta"):
        layers = [type(layer) for layer in models.build("vgg19").modules() if list(layer.parameters(recurse=False))]
    assert layers == [nn.Conv2d] * 16 + [nn.Linear] * 3
    assert [3 + sum(map(len, stages)) for stages in TABLE_1.values()] == [11, 13, 16, 16, 19]


def test_L46_googlenet_has_22_layers():
    """Slide 73: 22 layers. They are counted along the longest path; 58 layers have weights."""
    import torch
    from torch import nn

    from course_utils import models

    with torch.device("meta"):
        net = models.build("googlenet")
    layers = [name for name, layer in net.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    branches = [f".branch{i}." for i in (1, 3, 4)]
    assert len(layers) == 58 and sum(not any(branch in name for branch in branches) for name in layers) == 22


def test_L46_resnet_has_up_to_152_layers():
    """Slide 74: 152 layers. Counted are convolutions and the linear layer on the way through F, as in the paper's
    Table 1; projections on shortcuts are not. The other depths of the slide (8, 19, 22) are in chapters 10 to 12."""
    import torch
    from torch import nn

    from course_utils import models

    for depth in (34, 152):
        with torch.device("meta"):
            net = models.build(f"resnet{depth}")
        layers = {name for name, layer in net.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))}
        assert sum("shortcut" not in name for name in layers) == depth
        assert len(layers) == depth + (3 if depth < 50 else 4)


def test_L47_resnet_adds_its_input_and_carries_gradients_further():
    """Slide 74: H(x) = F(x) + x, "better propagation of gradients to the deeper layers". Its diagram has one weight
    layer in F; the paper has two, or three. Before training, with batch norm, the gradient of the plain network does
    not vanish: it explodes, a thousandfold over 56 layers; that of the residual one stays within two hundredfold. And a
    step along it, a hundredth of the weights long, gains more than a third of what the slope promises; in the plain
    network less than a tenth."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    from course_utils import datasets, models
    from course_utils.authors.experiments.depth import network

    for name, layers in (("resnet34", 2), ("resnet50", 3)):
        block = models.build(name).stages.conv2_x[1].eval()
        assert sum(isinstance(layer, nn.Conv2d) for layer in block.residual) == layers
        x = torch.randn(1, block.residual[0].in_channels, 4, 4, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(block(x), F.relu(block.residual(x) + x), atol=1e-6)

    shapes, digits = datasets.load("shapes", "train"), datasets.load("mnist-mini", "train")
    colour = (shapes.images[:16] / 255 - 0.5) / 0.25

    def growth(name, seed):
        """The gradient behind the first layer over that behind the last block."""
        torch.manual_seed(seed)
        net = models.build(name).train()
        first = net.stem(colour)
        last = net.stages(first)
        loss = F.cross_entropy(net.output(net.pool(last).flatten(1)), shapes.labels[:16])
        before, behind = torch.autograd.grad(loss, (first, last))
        return (before.norm() / behind.norm()).item()

    assert min(growth("plain56", seed) for seed in range(2)) > 1000
    assert max(growth("resnet56", seed) for seed in range(2)) < 200

    grey, labels = (digits.images[:256] / 255 - digits.mean[0]) / digits.std[0], digits.labels[:256]

    def kept(shortcut, seed):
        """The gain of a step along the gradient, over what the slope promises."""
        torch.manual_seed(seed)
        net = network(4, shortcut).train()
        loss = F.cross_entropy(net(grey), labels)
        weights = list(net.parameters())
        gradients = torch.autograd.grad(loss, weights)
        slope, length = (torch.cat([tensor.flatten() for tensor in all_]).norm() for all_ in (gradients, weights))
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= 0.01 * length / slope * gradient
            return ((loss - F.cross_entropy(net(grey), labels)) / (0.01 * length * slope)).item()

    assert max(kept(None, seed) for seed in range(3)) < 1 / 10 < 1 / 3 < min(kept("A", seed) for seed in range(3))
