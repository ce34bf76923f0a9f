"""Samplers: draws that depend on the number of the trial and on what is finished."""

import math

import numpy as np
import optuna
import pytest

from mtbert.studies.search.journal import quiet
from mtbert.studies.search.samplers import SAMPLERS, draw, make_sampler
from mtbert.studies.search.space import read_space

SPACE = read_space(
    ["rate=1e-5..1e-2:log", "warmup=0..0.3:0.1", "size=8..32:8", "power=1..64:log", "way=a,b,c"]
)


def study_of(sampler, seed=1):
    with quiet():
        return optuna.create_study(sampler=make_sampler(sampler, SPACE, seed))


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_every_draw_lies_in_the_space(sampler):
    study = study_of(sampler)
    for number in range(30):
        trial = study.ask()
        draw(trial, SPACE)
        found = trial.params
        assert [*found] == [*SPACE.domains]
        assert 1e-5 <= found["rate"] <= 1e-2
        assert round(found["warmup"] * 10, 9) in (0, 1, 2, 3)
        assert found["size"] in (8, 16, 24, 32)
        assert found["power"] in range(1, 65)
        assert found["way"] in ('"a"', '"b"', '"c"')
        study.tell(trial, number % 7)


def test_random_draws_are_even_on_their_scale():
    study = study_of("random")
    rates = []
    for _ in range(200):
        trial = study.ask()
        draw(trial, SPACE)
        rates.append(math.log10(trial.params["rate"]))
        study.tell(trial, 0.0)
    thirds = [sum(low <= x < low + 1 for x in rates) for low in (-5, -4, -3)]
    # Binomial(200, 1/3): mean 66.7, standard deviation 6.7.
    assert all(abs(count - 200 / 3) < 27 for count in thirds)


def test_random_draws_of_two_settings_do_not_hang_together():
    space = read_space(["a=0.0..1.0", "b=0.0..1.0"])
    with quiet():
        study = optuna.create_study(sampler=make_sampler("random", space, 1))
    pairs = []
    for _ in range(200):
        trial = study.ask()
        draw(trial, space)
        pairs.append([*trial.params.values()])
        study.tell(trial, 0.0)
    # Of independent ones the correlation has a standard deviation of 1 / sqrt(200) = 0.07.
    assert abs(np.corrcoef(np.transpose(pairs))[0, 1]) < 0.25


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_trial_whose_draw_was_cut_short_gets_the_values_it_would_have_had(sampler):
    """The values of a trial hang together by its number, not by the order of calls."""
    whole, cut = study_of(sampler), study_of(sampler)
    for number in range(14):
        first, second = whole.ask(), cut.ask()
        draw(first, SPACE)
        for key in [*SPACE.domains][: number % 5]:
            draw(second, type(SPACE)({key: SPACE.domains[key]}))
        resumed = optuna.Trial(cut, second._trial_id)
        draw(resumed, SPACE)
        assert resumed.params == first.params
        for study, trial in ((whole, first), (cut, resumed)):
            study.tell(trial, math.log(first.params["rate"]) ** 2)


def test_other_seeds_draw_other_values():
    found = []
    for seed in (1, 2):
        trial = study_of("random", seed).ask()
        draw(trial, SPACE)
        found.append(trial.params["rate"])
    assert found[0] != found[1]


def test_tpe_comes_closer_than_chance():
    def best(sampler):
        study = study_of(sampler)
        for _ in range(40):
            trial = study.ask()
            draw(trial, SPACE)
            wrong = abs(math.log10(trial.params["rate"]) + 3.3)
            study.tell(trial, wrong + trial.params["warmup"] + trial.params["size"] / 32)
        return study.best_value

    assert best("tpe") <= best("random")


def test_the_table_names_what_the_command_offers():
    import argparse

    from mtbert.commands import tune
    from mtbert.studies.search.pruning import PRUNERS

    parser = argparse.ArgumentParser()
    tune.add_arguments(parser)
    offered = {action.dest: action.choices for action in parser._actions}
    assert set(offered["sampler"]) == set(SAMPLERS)
    assert set(offered["pruning"]) == set(PRUNERS)
