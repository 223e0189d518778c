"""Explorer of LeNet-5: an image is moved and turned, and every layer is drawn anew."""

import math

import ipywidgets as widgets
import torch
from torch.nn import functional as F

from course_utils.figures.lenet import journey

STAGES = ("c1", "s2", "c3", "s4", "c5", "f6")


@torch.no_grad()
def stage_states(net, images):
    """What leaves each stage of a LeNet for images N x C x H x W: name -> tensor, in order, "output" last.

    The states are those behind the squashing function, where a stage has one.
    """
    states, x = {}, images
    for name, layer in net.named_children():
        x = layer(x)
        stage = name.removesuffix("_squash")
        if stage in STAGES or stage == "output":
            states[stage] = x
    return states


def moved(image, right=0, down=0, turn=0):
    """An image 1 x H x W, moved by pixels and turned anticlockwise by degrees; its darkest grey fills what is left."""
    height, width = image.shape[-2:]
    angle = math.radians(turn)
    cos, sin = math.cos(angle), math.sin(angle)
    # affine_grid wants the way back, from the new image to the old one, in units of half the image's side.
    x, y = -2 * right / width, -2 * down / height
    back = torch.tensor([[cos, -sin, cos * x - sin * y], [sin, cos, sin * x + cos * y]])
    grid = F.affine_grid(back[None], (1, 1, height, width), align_corners=False)
    ground = image.min()
    return F.grid_sample(image[None] - ground, grid, align_corners=False)[0] + ground


def draw_journey(net, image):
    """SVG of `figures.lenet.journey` for one image 1 x 32 x 32 and a LeNet with RBF units."""
    states = {name: state[0].numpy() for name, state in stage_states(net, image[None]).items()}
    distances = -states.pop("output") / net.output.scale
    shown = {name.upper(): state for name, state in states.items()}
    return journey(image[0].numpy(), shown, net.output.codes.view(-1, 12, 7).numpy(), distances)


def explore_layers(net, images):
    """Sliders that choose one of the images (N x 1 x 32 x 32, normalized), move and turn it, over its journey."""

    def slider(value, least, most, description, step=1):
        layout = widgets.Layout(width="420px")
        return widgets.IntSlider(value, least, most, step, description=description, layout=layout)

    image = slider(0, 0, len(images) - 1, "image")
    right, down = slider(0, -12, 12, "right (px)"), slider(0, -12, 12, "down (px)")
    turn = slider(0, -90, 90, "turn (°)", step=5)
    picture = widgets.HTML()

    def draw(change=None):
        picture.value = draw_journey(net, moved(images[image.value], right.value, down.value, turn.value))

    for control in (image, right, down, turn):
        control.observe(draw, "value")
    draw()
    box = widgets.VBox([widgets.HBox([image, turn]), widgets.HBox([right, down]), picture])
    box.image, box.right, box.down, box.turn, box.picture = image, right, down, turn, picture
    return box
