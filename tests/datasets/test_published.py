"""The table of published sets, and the decoding of their bytes."""

import os
import pickle
import re

import pytest

from course_utils.datasets.published import PUBLISHED, _read_cifar


def test_the_table_is_what_the_publishers_say():
    def total(files):
        return sum(size for size, _ in files.values())

    sizes = {name: (total(known.packed), total(known.files)) for name, known in PUBLISHED.items()}
    assert sizes == {
        "mnist": (11_594_722, 54_950_048),
        "fashion-mnist": (30_878_645, 54_950_048),
        "cifar10": (170_498_071, 186_213_868),
    }
    for known in PUBLISHED.values():
        assert len(known.classes) == 10
        assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in known.mirrors)
        assert all(re.fullmatch("[0-9a-f]{32}", md5) for _, md5 in (known.files | known.packed).values())
        assert len({md5 for _, md5 in (known.files | known.packed).values()}) == len(known.files) + len(known.packed)
        assert set(known.packed) <= set(known.names)
        held = [file for packed in known.packed for file in known.names[packed]]
        assert sorted(held) == sorted(known.files)  # the mirrors hold every file, and none twice


@pytest.mark.parametrize(
    ("name", "called", "not_called"),
    [
        ("mnist", ["mnist", "mnist_train.csv", "mnist-png"], ["fashion-mnist", "kmnist", "emnist", "notmnist"]),
        ("fashion-mnist", ["fashion-mnist", "fashionmnist", "fashion_mnist_train.csv"], ["mnist", "fashion"]),
        ("cifar10", ["cifar-10-batches-bin", "cifar10", "cifar_10.zip"], ["cifar-100-python", "cifar100", "cifar"]),
    ],
)
def test_names_that_belong_to_a_set(name, called, not_called):
    for word in called:
        assert re.match(PUBLISHED[name].called, word)
    for word in not_called:
        assert not re.match(PUBLISHED[name].called, word)


def test_a_pickle_that_names_a_function_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    with pytest.raises(pickle.UnpicklingError, match="mkdir has no place"):
        _read_cifar(lambda file: pickle.dumps({b"data": Harm()}))
    assert not (tmp_path / "harm").exists()
