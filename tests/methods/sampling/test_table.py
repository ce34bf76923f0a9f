from mtbert.methods.sampling.table import DEFAULT_SAMPLER, SAMPLERS


def test_names_differ_and_method_2_is_the_default():
    names = [kind().name for kind in SAMPLERS]
    assert names[:4] == ["method1", "method2", "method3", "continued"]
    assert len(set(names)) == len(names)
    assert DEFAULT_SAMPLER.name == "method2"
