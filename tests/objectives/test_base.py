import numpy as np
from support.objectives import classes

from mtbert.objectives.base import Prediction, most_probable_class


def test_a_prediction_as_json_leaves_out_what_it_has_not():
    regression = Prediction(2.5, None, 2.5, None)
    assert regression.as_json() == {"prediction": 2.5, "score": 2.5}
    answer = Prediction(1, "yes", 0.75, {"no": 0.25, "yes": 0.75})
    assert list(answer.as_json()) == ["prediction", "label", "score", "probabilities"]


def test_the_most_probable_class_has_its_name_number_and_probability():
    found = most_probable_class(classes(), np.array([0.2, 0.5, 0.3]))
    assert found == Prediction(1, "b", 0.5, {"a": 0.2, "b": 0.5, "c": 0.3})
