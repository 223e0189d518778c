"""Training with the images as one tensor, augmented in batches, against a DataLoader with per-image transforms.

Both train the same LeNet on as many 28 x 28 images with the same augmentation: padded to 32 x 32, moved by up to 2
pixels by a random crop, mirrored or not, normalized. One thread, and no workers: they would only take turns on it.

How much is gained depends on what the usual way is. Three are measured: torchvision's transforms in the form that it
recommends now (v2), its older form (v1), and the same operations written out here without a library's dispatch and
checks, the least that per-image transforms can cost. 2.5 is held against v2; the others have bounds of their own.
"""

import functools
import statistics
import time

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from course_utils import datasets, machine, models, training

RECIPE = training.Recipe(epochs=1, batch_size=128, learning_rate=0.01, shift=2, flip=True)
ROUNDS = 5
OPERATORS = torch.library.Library("torchvision", "FRAGMENT")  # lives as long as what is defined in it


def pictures(n, channels=1, side=28):
    """Random images, in the size of Fashion-MNIST's if nothing else is said."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, channels, side, side), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (n,), generator=generator)
    classes, mean, std = tuple("0123456789"), (0.5,) * channels, (0.29,) * channels
    return datasets.Dataset("random", "train", images, labels, classes, mean, std)


# ---- The usual way: a pipeline of transforms, and a DataLoader.


@functools.cache
def torchvision_transforms():
    """The module torchvision.transforms; skips the benchmark where torchvision is not installed."""
    try:
        from torchvision import transforms
    except ImportError as error:
        pytest.skip(f"torchvision cannot be imported: {error}")
    except RuntimeError:
        # Its CUDA build beside torch's CPU build: the operators of its C++ library are not there. No transform needs
        # them, but torchvision's own import wants these two names.
        for name in ("nms", "qnms"):
            OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision import transforms
    from torchvision.transforms import v2  # noqa: F401

    return transforms


def torchvision_v1(dataset):
    """The pipeline in torchvision's older form."""
    v1 = torchvision_transforms()
    return v1.Compose(
        [
            v1.Pad((32 - dataset.images.shape[3]) // 2),
            v1.RandomCrop(32, padding=RECIPE.shift),
            v1.RandomHorizontalFlip(),
            v1.ToTensor(),
            v1.Normalize(dataset.mean, dataset.std),
        ]
    )


def torchvision_v2(dataset):
    """The pipeline in the form that torchvision recommends."""
    v2 = torchvision_transforms().v2
    return v2.Compose(
        [
            v2.ToImage(),
            v2.Pad((32 - dataset.images.shape[3]) // 2),
            v2.RandomCrop(32, padding=RECIPE.shift),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(dataset.mean, dataset.std),
        ]
    )


def written_out(dataset):
    """The same, one operation of torchvision's a line."""
    return nn.Sequential(
        Pad(2),
        RandomCrop(32, padding=RECIPE.shift),
        RandomHorizontalFlip(),
        ToTensor(),
        Normalize(dataset.mean, dataset.std),
    )


class Pad(nn.Module):
    def __init__(self, padding):
        super().__init__()
        self.padding = padding

    def forward(self, image):
        return ImageOps.expand(image, border=self.padding, fill=0)


class RandomCrop(nn.Module):
    def __init__(self, size, padding):
        super().__init__()
        self.size, self.padding = size, padding

    def forward(self, image):
        image = ImageOps.expand(image, border=self.padding, fill=0)
        top = torch.randint(0, image.height - self.size + 1, size=(1,)).item()
        left = torch.randint(0, image.width - self.size + 1, size=(1,)).item()
        return image.crop((left, top, left + self.size, top + self.size))


class RandomHorizontalFlip(nn.Module):
    def forward(self, image):
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if torch.rand(1) < 0.5 else image


class ToTensor(nn.Module):
    def forward(self, image):
        array = torch.from_numpy(np.array(image, np.uint8, copy=True))
        array = array.view(image.height, image.width, len(image.getbands()))
        return array.permute(2, 0, 1).contiguous().to(torch.float32).div(255)


class Normalize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, tensor):
        tensor = tensor.clone()
        mean = torch.as_tensor(self.mean, dtype=tensor.dtype)
        std = torch.as_tensor(self.std, dtype=tensor.dtype)
        if (std == 0).any():
            raise ValueError("a standard deviation is 0")
        return tensor.sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))


class PerImage(TorchDataset):
    """Images that are turned from bytes into a picture and transformed each time they are asked for."""

    def __init__(self, dataset, transform):
        self.images, self.labels = dataset.images.permute(0, 2, 3, 1).squeeze(3).contiguous(), dataset.labels
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.images[i].numpy())), int(self.labels[i])


def usual_loop(model, dataset, transform):
    """One epoch of the loop of the tutorials."""
    loader = DataLoader(PerImage(dataset, transform), batch_size=RECIPE.batch_size, shuffle=True, drop_last=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    model.train()
    total_loss, hits = 0.0, 0
    for images, labels in loader:
        optimizer.zero_grad()
        logits = model(images)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
        hits += (logits.argmax(1) == labels).sum().item()


def our_loop(model, dataset, validation):
    """One epoch of `fit`, all of it: the set padded, ten images looked at for validation."""
    training.fit(model, dataset, validation, RECIPE, device="cpu", quiet=True)


def images_per_second(loop, name, dataset, *more):
    """Images per second of processor time, which a busy machine does not take away."""
    model = models.build(name, in_channels=dataset.images.shape[1])
    start = time.process_time()
    loop(model, dataset, *more)
    return len(dataset) / (time.process_time() - start)


@pytest.mark.parametrize(
    ("name", "pipeline", "least"),
    [
        ("lenet5_simple", torchvision_v2, 2.5),
        ("lenet5_simple", torchvision_v1, 1.8),
        ("lenet5_simple", written_out, 1.7),
        ("lenet5", torchvision_v2, 2.0),
        ("lenet5", written_out, 1.4),
    ],
)
def test_training_against_a_data_loader(name, pipeline, least):
    dataset, few = pictures(12_800), pictures(10)
    transform = pipeline(dataset)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    ours, usual = [], []
    for _ in range(ROUNDS):  # in turns
        ours.append(images_per_second(our_loop, name, dataset, few))
        usual.append(images_per_second(usual_loop, name, dataset, transform))
    torch.set_num_threads(threads)
    ratio = statistics.median(a / b for a, b in zip(ours, usual, strict=True))
    print(
        f"\n{name}: fit {statistics.median(ours):,.0f} images/s, DataLoader ({pipeline.__name__}) "
        f"{statistics.median(usual):,.0f} images/s, ratio {ratio:.2f} "
        f"(processor time, one thread, median of {ROUNDS} rounds)"
    )
    assert ratio >= least


def test_a_resnet_against_a_data_loader():
    """ResNet-20 in the precision that pays here against the usual script in float32."""
    dataset, few = pictures(512, 3, 32), pictures(10, 3, 32)
    transform = torchvision_v2(dataset)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    precision = "bfloat16" if machine.multiplies_bfloat16() else "float32"

    def in_precision(model, dataset, validation):
        training.fit(model, dataset, validation, RECIPE, device="cpu", precision=precision, quiet=True)

    ours, usual = [], []
    for _ in range(ROUNDS):
        ours.append(images_per_second(in_precision, "resnet20", dataset, few))
        usual.append(images_per_second(usual_loop, "resnet20", dataset, transform))
    torch.set_num_threads(threads)
    ratio = statistics.median(a / b for a, b in zip(ours, usual, strict=True))
    print(
        f"\nresnet20: fit in {precision} {statistics.median(ours):,.0f} images/s, DataLoader in float32 "
        f"{statistics.median(usual):,.0f} images/s, ratio {ratio:.2f} (processor time, one thread)"
    )
    assert ratio >= (2 if precision == "bfloat16" else 1)
