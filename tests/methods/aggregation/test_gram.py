import itertools

import numpy as np
import pytest
from scipy.optimize import nnls
from support.gradient_sets import ALL, DEPENDENT, REGULAR, SIZES, gram_of

from mtbert.methods.aggregation.gram import (
    cosine_matrix,
    lengths_of,
    minimum_norm_point,
    nonnegative_least_squares,
    power_of_two,
    scaled_rows,
    unit_rows,
)

each = pytest.mark.parametrize("gradients", ALL.values(), ids=ALL)


@pytest.mark.parametrize("seed", range(300))
def test_nonnegative_least_squares_is_scipys(seed):
    """Many solutions may have the same distance, so distances are compared, and the signs."""
    generator = np.random.default_rng(seed)
    shape = generator.integers(1, 6, size=2)
    matrix = np.round(generator.normal(size=shape), seed % 4)  # whole numbers: columns depend
    target = np.round(generator.normal(size=shape[0]), seed % 4)
    lengths = np.linalg.norm(matrix, axis=0)
    matrix = matrix / np.where(lengths > 0, lengths, 1)
    found = nonnegative_least_squares(matrix, target)
    assert (found >= 0).all()
    expected = nnls(matrix, target)[1]
    assert np.linalg.norm(matrix @ found - target) == pytest.approx(expected, abs=1e-12)


def shortest_by_enumeration(rows):
    """The shortest average: on each subset of rows the shortest affine one, if it is an average."""
    best = np.inf
    for size in range(1, len(rows) + 1):
        for chosen in itertools.combinations(range(len(rows)), size):
            part = rows[list(chosen)]
            system = np.block([[part @ part.T, np.ones((size, 1))], [np.ones((1, size)), 0]])
            weights = np.linalg.lstsq(system, np.append(np.zeros(size), 1), rcond=None)[0][:size]
            if (weights >= -1e-12).all() and abs(weights.sum() - 1) < 1e-9:
                best = min(best, np.linalg.norm(weights @ part))
    return best


@pytest.mark.parametrize("rows", [*REGULAR.values(), *DEPENDENT.values()])
def test_the_minimum_norm_point_is_the_shortest_of_all_faces(rows):
    weights = minimum_norm_point(rows)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-14)
    longest = np.linalg.norm(rows, axis=1).max()
    assert np.linalg.norm(weights @ rows) == pytest.approx(
        shortest_by_enumeration(rows), abs=1e-9 * longest
    )


@pytest.mark.parametrize("rows", REGULAR.values(), ids=REGULAR)
@pytest.mark.parametrize("size", [1e-100, 1e-6, 1e6, 1e100])
def test_it_is_exact_whatever_lengths_meet(rows, size):
    """Every row's inner product with the point is the point's square or more: optimal, proved."""
    rows = rows * np.where(np.arange(len(rows)) % 2, size, 1.0)[:, None]
    weights = minimum_norm_point(rows)
    point = weights @ rows
    lengths = np.linalg.norm(rows, axis=1)
    assert (rows @ point / lengths >= np.linalg.norm(point) * (1 - 1e-9) * np.linalg.norm(point)
            / lengths - 1e-9 * np.linalg.norm(point)).all()  # fmt: skip


def test_a_row_of_zero_is_the_point_itself():
    assert minimum_norm_point(np.array([[1.0, 2.0], [0.0, 0.0]])).tolist() == [0.0, 1.0]
    assert minimum_norm_point(np.zeros((2, 2))).tolist() == [0.5, 0.5]


@each
def test_rows_have_the_gradients_angles_and_lengths(gradients):
    gram = gram_of(gradients)
    lengths, units = lengths_of(gram), unit_rows(cosine_matrix(gram))
    assert np.isfinite(units).all()
    assert np.abs(gram_of(units) - cosine_matrix(gram)).max() < 1e-9
    for i, j in itertools.product(range(len(gradients)), repeat=2):
        if lengths[i] and lengths[j]:
            a, b = (gradients[k] / np.linalg.norm(gradients[k]) for k in (i, j))
            assert units[i] @ units[j] == pytest.approx(a @ b, abs=1e-9)
    longest = lengths.max() or 1.0
    assert np.linalg.norm(scaled_rows(gram), axis=1) == pytest.approx(lengths / longest, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("below what has a square", [0, 0, 0]), ("of every size", [0, 0, 1]), ("tiny", [1, 1, 1])],
)
def test_what_is_as_good_as_zero_has_length_zero(name, expected):
    assert (lengths_of(gram_of(SIZES[name])) > 0).tolist() == expected


def test_a_gram_matrix_that_rounding_made_impossible_still_has_rows():
    """Cosines above 1, and an eigenvalue below 0."""
    rows = unit_rows(cosine_matrix(np.array([[1.0, 1.0000001], [1.0000001, 1.0]])))
    assert gram_of(rows) == pytest.approx(np.ones((2, 2)))
    odd = np.array([[1.0, -0.6, -0.6], [-0.6, 1.0, -0.6], [-0.6, -0.6, 1.0]])
    assert np.linalg.eigvalsh(gram_of(unit_rows(odd))).min() >= -1e-15


@pytest.mark.parametrize("value", [0.0, 5e-324, 1e-300, 0.7, 1.0, 3e5, 1e308])
def test_the_power_of_two_is_next_to_the_value(value):
    power = power_of_two(value)
    assert np.log2(power) == round(np.log2(power))
    assert np.isfinite(value / power)
    if value > 1e-300:
        assert 0.25 <= value / power <= 2
