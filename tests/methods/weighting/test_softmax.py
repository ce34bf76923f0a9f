import pytest
import torch

from mtbert.methods.weighting.softmax import softmax, weights_of


@pytest.mark.parametrize("scores", [[0.1, -2.0, 1.5], [700.0, 710.0, 705.0], [-3.0]])
def test_it_is_torchs_softmax(scores):
    expected = torch.tensor(scores, dtype=torch.float64).softmax(0).tolist()
    found = softmax(dict(zip("abc", scores, strict=False)))
    assert list(found.values()) == pytest.approx(expected, rel=1e-13)


def test_equal_scores_give_weights_of_exactly_one():
    assert weights_of(softmax(dict.fromkeys("abc", 0.37))) == dict.fromkeys("abc", 1.0)


def test_weights_sum_to_the_number_of_tasks():
    assert weights_of({"a": 0.1, "b": 0.3}) == pytest.approx({"a": 0.5, "b": 1.5})
