"""Batch normalization against torch, forward, backward and in its running averages."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.scratch import batch_norm, batch_norm_backward, batch_norm_paths, gradient_check, update_running

shapes = st.one_of(
    st.tuples(st.integers(2, 6), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(2, 4), st.integers(1, 4)),
)


def draw(shape, seed):
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(2, 3, size=shape), rng.normal(size=shape)
    gamma, beta, mean = rng.normal(size=(3, shape[1]))
    return x, dy, gamma, beta, mean, rng.uniform(0.1, 1, size=shape[1])


@given(shape=shapes, seed=st.integers(0, 2**32 - 1), testing=st.booleans(), eps=st.sampled_from([1e-5, 0.5]))
def test_forward_and_backward_are_torchs(shape, seed, testing, eps):
    x, dy, gamma, beta, mean, var = draw(shape, seed)
    options = {"eps": eps} | ({"mean": mean, "var": var} if testing else {})
    twins = [torch.tensor(v, requires_grad=True) for v in (x, gamma, beta)]
    running = (torch.tensor(mean), torch.tensor(var)) if testing else (None, None)
    out = torch.nn.functional.batch_norm(twins[0], *running, *twins[1:], training=not testing, eps=eps)
    out.backward(torch.tensor(dy))
    np.testing.assert_allclose(batch_norm(x, gamma, beta, **options), out.detach(), rtol=1e-8, atol=1e-8)
    for ours, twin in zip(batch_norm_backward(dy, x, gamma, beta, **options), twins, strict=True):
        np.testing.assert_allclose(ours, twin.grad, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 4, 2)])
@pytest.mark.parametrize("testing", [False, True])
def test_gradients_are_difference_quotients(shape, testing):
    x, dy, gamma, beta, mean, var = draw(shape, 0)
    given_statistics = {"mean": mean, "var": var} if testing else {}
    dx, dgamma, dbeta = batch_norm_backward(dy, x, gamma, beta, **given_statistics)
    assert gradient_check(lambda x: batch_norm(x, gamma, beta, **given_statistics), x, dy, dx) < 1e-6
    assert gradient_check(lambda g: batch_norm(x, g, beta, **given_statistics), gamma, dy, dgamma) < 1e-6
    assert gradient_check(lambda b: batch_norm(x, gamma, b, **given_statistics), beta, dy, dbeta) < 1e-6


def test_float32_stays_float32():
    values = [v.astype(np.float32) for v in draw((4, 3, 2, 2), 1)]
    x, dy, gamma, beta, _, _ = values
    assert batch_norm(x, gamma, beta).dtype == np.float32
    assert {g.dtype for g in batch_norm_backward(dy, x, gamma, beta)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 4, 2)])
@pytest.mark.parametrize("momentum", [0.0, 0.1, 1.0])
def test_running_averages_are_torchs(shape, momentum):
    x, _, _, _, mean, var = draw(shape, 2)
    twin_mean, twin_var = torch.tensor(mean), torch.tensor(var)
    torch.nn.functional.batch_norm(torch.tensor(x), twin_mean, twin_var, training=True, momentum=momentum)
    new_mean, new_var = update_running(mean, var, x, momentum=momentum)
    np.testing.assert_allclose(new_mean, twin_mean, rtol=1e-10)
    np.testing.assert_allclose(new_var, twin_var, rtol=1e-10)


def test_one_value_a_channel_is_refused_in_training_and_fine_at_test_time():
    x, one = np.ones((1, 3)), np.ones(3)
    for call in (
        lambda: batch_norm(x, one, one),
        lambda: batch_norm_backward(x, x, one, one),
        lambda: update_running(one, one, x),
    ):
        with pytest.raises(ValueError, match="at least two"):
            call()
    assert batch_norm(x, one, one, mean=one, var=one).shape == x.shape


def test_no_channels_are_no_error():
    none = np.ones(0)
    assert batch_norm(np.ones((4, 0)), none, none).shape == (4, 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, c: batch_norm(x[0], c, c), r"expected N x D"),
        (lambda x, c: batch_norm(x, c[:2], c), r"gamma has shape \(2,\).*\(3,\)"),
        (lambda x, c: batch_norm(x, c, c[:1]), r"beta has shape \(1,\)"),
        (lambda x, c: batch_norm(x, c, c, mean=c), "go together"),
        (lambda x, c: batch_norm(x, c, c, mean=c, var=c[:2]), r"var has shape \(2,\)"),
        (lambda x, c: batch_norm_backward(x[:2], x, c, c), r"dy has shape \(2, 3\)"),
        (lambda x, c: update_running(c, c[:2], x), r"var has shape \(2,\)"),
        (lambda x, c: update_running(c, c, x, momentum=1.5), "momentum is 1.5"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((4, 3)), np.ones(3))


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4, 2)])
def test_the_three_paths_are_what_is_lost_when_one_is_cut(shape):
    x, dy, gamma, beta, _, _ = draw(shape, 3)
    axes, column = (0,) if len(shape) == 2 else (0, 2, 3), (1, -1) + (1,) * (len(shape) - 2)

    def gradient(cut):
        twin = torch.tensor(x, requires_grad=True)
        mean, var = twin.mean(axes, keepdim=True), twin.var(axes, keepdim=True, unbiased=False)
        mean, var = (v.detach() if name in cut else v for name, v in (("mean", mean), ("variance", var)))
        ((twin - mean) / (var + 1e-5).sqrt() * torch.tensor(gamma).view(column)).backward(torch.tensor(dy))
        return twin.grad.numpy()

    direct, through_mean, through_var = batch_norm_paths(dy, x, gamma, beta)
    np.testing.assert_allclose(direct, gradient(("mean", "variance")), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(through_mean, gradient(()) - gradient(("mean",)), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(through_var, gradient(()) - gradient(("variance",)), rtol=1e-7, atol=1e-9)
    dx, _, _ = batch_norm_backward(dy, x, gamma, beta)
    np.testing.assert_array_equal(dx, direct + through_mean + through_var)


def test_paths_of_a_gradient_that_does_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"dy has shape \(2, 3\)"):
        batch_norm_paths(np.ones((2, 3)), np.ones((4, 3)), np.ones(3), np.ones(3))
