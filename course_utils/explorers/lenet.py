"""Explorer of LeNet-5: an image is moved and turned, and every layer is drawn anew."""

import ipywidgets as widgets

from course_utils.figures.lenet import journey
from course_utils.inspection import moved, stage_states


def draw_journey(net, image, right=0, down=0, turn=0):
    """SVG: an image 1 x 32 x 32, moved by pixels and turned by degrees, on its way through a LeNet with RBF units."""
    image = moved(image, right, down, turn)
    states = {name: state[0].numpy() for name, state in stage_states(net, image[None]).items()}
    distances = -states.pop("output") / net.output.scale
    shown = {name.upper(): state for name, state in states.items()}
    return journey(image[0].numpy(), shown, net.output.codes.view(-1, 12, 7).numpy(), distances)


def explore_journey(net, images):
    """Sliders that choose one of the images (N x 1 x 32 x 32, normalized), move and turn it, over its journey."""

    def slider(value, least, most, description, step=1):
        layout = widgets.Layout(width="420px")
        return widgets.IntSlider(value, least, most, step, description=description, layout=layout)

    image = slider(0, 0, len(images) - 1, "image")
    right, down = slider(0, -12, 12, "right (px)"), slider(0, -12, 12, "down (px)")
    turn = slider(0, -90, 90, "turn (°)", step=5)
    picture = widgets.HTML()

    def draw(change=None):
        picture.value = draw_journey(net, images[image.value], right.value, down.value, turn.value)

    for control in (image, right, down, turn):
        control.observe(draw, "value")
    draw()
    box = widgets.VBox([widgets.HBox([image, turn]), widgets.HBox([right, down]), picture])
    box.image, box.right, box.down, box.turn, box.picture = image, right, down, turn, picture
    return box
