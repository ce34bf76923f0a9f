from support.plans import spec_of

from mtbert.training.plan import describe

SPEC = spec_of(batch=4, sst=10, para=3, sts=7)


def describe_plan(toy, own=0, **changes):
    settings = toy.settings(**changes)
    return describe(
        settings,
        SPEC,
        truncated={"sst": 0, "para": 2, "sts": 0},
        learning={"shared": 12_345, "own": own, "heads": 67},
        times_encoder=1.0225,
        hardware="fp32 on cpu, 3 threads",
    )


def test_the_plan_in_words_names_what_is_chosen(toy):
    text = describe_plan(toy, training={"batching": "method2", "surgery": "pcgrad"}, seed=8)
    assert "2 epochs of 3 steps (method2, surgery pcgrad); the best by sum is kept" in text
    rarely = describe_plan(toy, training={"surgery": "mgda", "surgery_every": 4})
    assert "surgery mgda every 4 steps); the best" in rarely
    assert "(finetune): 12,345 of its parameters learn, and 67 of the heads" in text
    assert "fp32 on cpu, 3 threads, seed 8" in text
    (row,) = [line.split() for line in text.splitlines() if line.startswith("para")]
    assert row == ["para", "3", "3", "3", "3.00", "30%", "1", "2"]


def test_the_plan_of_heads_first_names_both_phases(toy):
    text = describe_plan(toy, encoder={"mode": "heads_first", "heads_first_epochs": 4})
    assert "4 epochs of the heads alone, then 2 epochs of 1 step (" in text


def test_the_loss_weight_shown_is_the_tasks_times_the_schedules(toy):
    tree = toy.tree(training={"batching": "method1"})
    tree["tasks"]["para"]["loss_weight"] = 0.5
    text = describe_plan(toy, tasks=tree["tasks"], training={"batching": "method1"})
    weights = [line.split()[6] for line in text.splitlines()[2:5]]
    assert weights == ["1", "3.5", "1.66667"]


def test_one_epoch_of_one_step_is_written_in_the_singular(toy):
    assert "\n1 epoch of 1 step (method3" in describe_plan(toy, training={"epochs": 1})


def test_the_decay_that_an_average_reaches_is_said(toy):
    """Of two epochs of one step t / (t + 9) is 2 / 11; 0.1 is reached at the first."""
    text = describe_plan(toy, training={"average": 0.995})
    assert "with a decay of 0.995 (after these steps 0.1818)" in text
    text = describe_plan(toy, training={"average": 0.1})
    assert "with a decay of 0.1\n" in text
    assert "average of the weights" not in describe_plan(toy)


def test_what_the_tasks_have_for_themselves_is_counted(toy):
    sharing = {"sharing": {"name": "top_layers", "layers": 2}}
    text = describe_plan(toy, own=9_876, encoder=sharing)
    assert (
        "sharing top_layers (layers 2): 9,876 parameters of the tasks' own below their heads; "
        "1.02 x the encoder in all"
    ) in text
    assert "peak learning rates: encoder 0.001" in text
    assert "peak learning rates: own parts 0.001" in describe_plan(
        toy, own=9_876, encoder={**sharing, "mode": "frozen"}
    )
    assert "sharing" not in describe_plan(toy)
