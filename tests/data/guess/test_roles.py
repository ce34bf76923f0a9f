import pytest

from mtbert.data.guess.columns import profile_table
from mtbert.data.guess.roles import roles_of


@pytest.fixture
def roles(write):
    """Roles of the columns of a CSV: its header, and the cells of a row by its number."""

    def found(head, row, rows=40):
        return roles_of(profile_table(write("a.csv", f"{head}\n", row, rows)))

    return found


@pytest.mark.parametrize(
    "pair",
    [
        ("sentence1", "sentence2"), ("premise", "hypothesis"), ("#1 String", "#2 String"),
        ("left title", "right title"), ("first", "second"), ("text", "text2"), ("s1", "s2"),
        ("question_a", "question_b"),
    ],
)  # fmt: skip
def test_pairs_are_known_by_their_names(roles, sentence, pair):
    found = roles(
        f"{pair[0]},{pair[1]},label", lambda i: f"{sentence(i)},{sentence(i + 9)},{i % 2}"
    )
    assert found.texts == pair
    assert list(found.targets) == ["label"]


def test_of_other_texts_the_one_that_is_meant_is_read(roles, sentence):
    found = roles(
        "reply,body,category", lambda i: f"{sentence(i, 3)},{sentence(i, 20)},{'ab'[i % 2]}"
    )
    assert (found.texts, found.title) == (("body",), None)
    assert "holds texts too" in found.left_out["reply"]


@pytest.mark.parametrize("name", ["title", "Subject", "news headline"])
def test_a_title_is_read_with_its_text(roles, sentence, name):
    found = roles(
        f"{name},body,category", lambda i: f"{sentence(i, 3)},{sentence(i, 20)},{'ab'[i % 2]}"
    )
    assert (found.texts, found.title, found.left_out) == (("body",), name, {})
    alone = roles(f"{name},category", lambda i: f"{sentence(i, 3)},{'ab'[i % 2]}")
    assert (alone.texts, alone.title) == ((name,), None)


@pytest.mark.parametrize(
    "written", ['"{:,.2f}"', "{:.0f}%", "$ {:.2f}", "{:.2f} EUR", "{:.0f} %", "€{:.2f}"]
)
def test_numbers_that_are_not_written_plainly_are_no_classes(roles, sentence, written):
    def row(i):
        return f"{sentence(i)},{'ab'[i % 2]},{written.format(1000 + 400 * (i % 4))}"

    found = roles("text,label,price", row)
    assert list(found.targets) == ["label"]
    assert "numbers written like" in found.left_out["price"]


@pytest.mark.parametrize("codes", [("1st", "2nd"), ("3B", "4A"), ("v1.2", "v1.3"), ("A+", "B-")])
def test_codes_with_digits_are_classes(roles, sentence, codes):
    found = roles("text,label", lambda i: f"{sentence(i)},{codes[i % 2]}")
    assert found.targets["label"].kind == "classification"


def test_what_stands_for_a_missing_label_is_no_class(roles, sentence):
    labels = ["good", "bad", "NaN", "null", "<NA>", ""]
    found = roles("text,label", lambda i: f"{sentence(i)},{labels[i % 6]}")
    assert list(found.targets["label"].counts) == ["bad", "good"]


def test_columns_that_name_rows_are_left_out_and_kept_for_answers_if_unique(roles, sentence):
    head = "id,qid1,Ticket No,text,label"
    found = roles(head, lambda i: f"r{i},{i // 2 + 900},T-{i * 3},{sentence(i)},{i % 2}")
    assert found.id == "id"
    assert found.left_out.keys() == {"id", "qid1", "Ticket No"}
    found = roles("id,text,label", lambda i: f"user{i // 2},{sentence(i)},{i % 2}")
    assert (found.id, found.left_out) == (
        None,
        {"id": "holds ids of which some repeat or are missing"},
    )


def test_what_is_about_the_rows_is_no_label(roles, sentence):
    head = "when,url,mail,author,split,likes,empty,same,text,label"
    found = roles(
        head,
        lambda i: (
            f"2024-01-{i % 28 + 1:02} 10:00,https://x.y/{i},a{i}@b.cd,ann{i},train,"
            f"{i * 37 % 901},,z,{sentence(i)},{i % 2}"
        ),
    )
    assert list(found.targets) == ["label"]
    assert found.left_out.keys() == set(head.split(",")[:8])


def test_several_columns_of_labels_are_all_found(roles, sentence):
    found = roles(
        "Body,Queue,Urgency,late",
        lambda i: f"{sentence(i)},{('billing', 'login')[i % 2]},{i % 11},{('yes', 'no')[i % 2]}",
    )
    assert {name: t.kind for name, t in found.targets.items()} == {
        "Queue": "classification", "Urgency": "regression", "late": "classification"
    }  # fmt: skip


def test_texts_need_no_spaces_no_many_words_and_may_repeat(roles, sentence):
    chinese = "我你他好坏的人吃饭天气今明很不"
    text = "".join
    found = roles(
        "文本,标签",
        lambda i: f"{text(chinese[(i * i // j + j) % 15] for j in range(1, 11))},{'好差'[i % 2]}",
    )
    assert (found.texts, list(found.targets)) == (("文本",), ["标签"])
    found = roles("name,gender", lambda i: f"name{i},{'mf'[i % 2]}")
    assert (found.texts, list(found.targets)) == (("name",), ["gender"])
    found = roles("text,label", lambda i: f"{sentence(i // 5)},{i % 2}")
    assert (found.texts, list(found.targets)) == (("text",), ["label"])


def test_without_texts_or_labels_nothing_is_made_up(roles, sentence):
    assert roles("a,b", lambda i: f"{i},{i * 2}").texts == ()
    assert roles("text", sentence).targets == {}
