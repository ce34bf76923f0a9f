from mtbert.config.encoder import EncoderSettings


def test_texts_are_encoded_once_only_where_nothing_below_the_heads_learns():
    assert EncoderSettings(mode="frozen").stores_features
    assert not EncoderSettings(mode="frozen", sharing="top_layers").stores_features
    assert not EncoderSettings(mode="heads_first").stores_features
