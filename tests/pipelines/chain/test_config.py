from __future__ import annotations

import pytest

from data_manifests.errors import InputError
from pipelines.chain.config import check_config, read_toml
from pipelines.chain.config_stages import options_in
from pipelines.chain.grid import read_cells
from pipelines.hands.options import HandsOptions
from pipelines.train.policy import SelectionPolicy

GOOD = """
workspace = "work"
[[dataset]]
name = "mine"
reader = "table"
files = ["train=a.csv", "b.csv"]
videos = ["videos", "/absolute"]
[hands]
weights = "hands.pt"
[embed]
encoder = "open_clip:models/tiny.json/random"
v2 = "timm:vit=weights/v.safetensors"
[[train]]
set = { epochs = 3 }
"""


def read_config(file):
    return check_config(read_toml(file), file)


def written(tmp_path, text):
    file = tmp_path / "xmic.toml"
    file.write_text(text)
    return file


def test_relative_paths_are_relative_to_the_file(tmp_path):
    config = read_config(written(tmp_path, GOOD))
    assert config.workspace == tmp_path / "work"
    assert config.dataset[0].files == (f"train={tmp_path}/a.csv", f"{tmp_path}/b.csv")
    assert [str(v) for v in config.dataset[0].videos] == [f"{tmp_path}/videos", "/absolute"]
    assert config.hands.weights == tmp_path / "hands.pt"
    assert config.embed.encoder == f"open_clip:{tmp_path}/models/tiny.json/random"
    assert config.embed.v2 == f"timm:vit={tmp_path}/weights/v.safetensors"
    assert config.train[0].set == {"epochs": 3}


def test_a_path_of_boxes_is_relative_to_the_file_too(tmp_path):
    text = GOOD.replace('weights = "hands.pt"', 'detector = "boxes"\nboxes = "hands.csv"\nboxes_tolerance = 0.1')
    hands = read_config(written(tmp_path, text)).hands
    assert (hands.boxes, hands.boxes_tolerance, hands.weights) == (tmp_path / "hands.csv", 0.1, None)


def test_a_dataset_may_have_hands_of_its_own(tmp_path):
    own = '[dataset.hands]\ndetector = "epic-100doh"\nboxes = "EPIC-KITCHENS"\n'
    own += '[[dataset]]\nname = "other"\nreader = "table"\n'
    config = read_config(written(tmp_path, GOOD.replace("[hands]", own + 'files = ["b.csv"]\n[hands]')))
    assert config.hands_of("mine").boxes == tmp_path / "EPIC-KITCHENS"
    assert config.hands_of("mine").detector == "epic-100doh"
    assert config.hands_of("other").weights == tmp_path / "hands.pt"


def test_hands_are_off_where_the_file_says_false_and_packaged_where_it_says_nothing(tmp_path):
    quiet = GOOD.replace('[hands]\nweights = "hands.pt"\n', "")
    assert read_config(written(tmp_path, quiet)).hands_of("mine") == HandsOptions()
    assert read_config(written(tmp_path, f"hands = false\n{quiet}")).hands_of("mine") is None
    one = quiet.replace('reader = "table"', 'reader = "table"\nhands = false')
    assert read_config(written(tmp_path, one)).hands_of("mine") is None
    assert read_config(written(tmp_path, one)).hands_of("other") == HandsOptions()
    for text in (f"hands = true\n{quiet}", one.replace("false", "true")):
        with pytest.raises(InputError, match="hands: expected a table, or false for no hands; found True"):
            read_config(written(tmp_path, text))


def test_a_training_without_hands_says_full_frames_in_its_protocol(tmp_path):
    quiet = GOOD.replace('[hands]\nweights = "hands.pt"\n', "")
    config = read_config(written(tmp_path, f"hands = false\n{quiet}"))
    chosen = options_in(config, config.train[0])
    assert (chosen.streams, chosen.classify) == ("full", "full")
    config = read_config(written(tmp_path, quiet))
    chosen = options_in(config, config.train[0])
    assert (chosen.streams, chosen.classify) == (None, None)


def test_a_tag_is_left_alone(tmp_path):
    config = read_config(
        written(tmp_path, GOOD.replace("open_clip:models/tiny.json/random", "open_clip:ViT-B-16/openai"))
    )
    assert config.embed.encoder == "open_clip:ViT-B-16/openai"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("[hands]", "[hand]"),
            r"unknown key hand; the nearest known key is hands\. Known: workspace, max_failures, dataset",
        ),
        (('weights = "hands.pt"', 'weigths = "x"'), r"unknown key hands\.weigths; the nearest known key is weights"),
        (
            ("[[train]]", "[[train]]\nlearning_rate = 0.1"),
            r"learning_rate; it is a setting .*: set = \{ lr = … \}\. Known",
        ),
        (("[[train]]", "[[train]]\nqqqq = 1"), r"unknown key train\.0\.qqqq\. Known: "),
        (("set = {", "sett = {"), r"unknown key train\.0\.sett; the nearest known key is set"),
        (
            ('reader = "table"', 'reader = "tabel"'),
            r"dataset\.0\.reader: expected table, epic, ego4d, egtea or package\.module:Class; found 'tabel'",
        ),
        (('encoder = "open_clip:models/tiny.json/random"', ""), r"embed\.encoder is missing"),
        (("[embed]", '[embed]\nnames = "best"'), r"embed\.names: Input should be 'official', 'fixed' or 'synonyms'"),
        (
            ("[[train]]", '[evaluate]\nxmic_vector = "none"\n[[train]]'),
            r"evaluate\.xmic_vector: Input should be 'own', 'mean', 'shuffled' or 'zero'; found 'none'",
        ),
        (("[[train]]", "[[train]"), r"not valid TOML"),
        (
            ("[[train]]", "[[train]]\nseed = -1"),
            r"train\.0\.seed: Input should be greater than or equal to 0; found -1",
        ),
        (
            ("[[train]]", f"[[train]]\nseed = {2**63}"),
            r"train\.0\.seed: Input should be less than or equal to 9223372036854775807",
        ),
        (("[[train]]", "[[train]]\ncheckpoint_minutes = -5"), r"train\.0\.checkpoint_minutes: Input should be greater"),
        (("[[train]]", "[[train]]\ncheckpoint_minutes = nan"), r"checkpoint_minutes: Input should be a finite number"),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest_known_key(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as found:
        read_config(written(tmp_path, GOOD.replace(*change)))
    assert str(tmp_path / "xmic.toml") in str(found.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('weights = "hands.pt"', 'detector = "boxes"'), r"hands: --boxes is missing: --detector boxes needs a table"),
        (("[[dataset]]", '[[dataset]]\nmax_failures = "lots"'), r"dataset\.0: --max-failures lots: expected a number"),
        (('workspace = "work"', 'max_failures = "-1"'), r"max_failures: --max-failures -1: expected a number of rows"),
        (("[[dataset]]", '[[dataset]]\nsplit = ["dev"]'), r"dataset\.0: split 'dev': expected train, val"),
        (("[embed]", '[embed]\nprompt = "a photo"'), r"embed: --prompt 'a photo': expected one \{\}"),
        (('["train=a.csv", "b.csv"]', "[]"), r"dataset\.0: files is empty: expected one table or more"),
    ],
)
def test_what_no_bound_says_is_refused_as_by_the_command_line_before_anything_runs(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as found:
        read_config(written(tmp_path, GOOD.replace(*change)))
    assert str(tmp_path / "xmic.toml") in str(found.value)


def test_a_missing_file_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match="no such file; expected the configuration of a chain"):
        read_config(tmp_path / "none.toml")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_text_that_is_not_utf_8_is_to_be_saved_as_utf_8(tmp_path, encoding):
    (tmp_path / "xmic.toml").write_bytes(f"# Küche\n{GOOD}".encode(encoding))
    with pytest.raises(InputError, match=r"xmic\.toml: not UTF-8; save it as UTF-8\."):
        read_config(tmp_path / "xmic.toml")


def test_the_mark_that_windows_puts_before_utf_8_is_no_error(tmp_path):
    (tmp_path / "xmic.toml").write_bytes(GOOD.encode("utf-8-sig"))
    assert read_config(tmp_path / "xmic.toml").dataset[0].name == "mine"


def test_embedding_and_training_read_the_same_class_names(tmp_path):
    for line, names in (('names = "synonyms"', "synonyms"), ("", "official")):
        config = read_config(written(tmp_path, GOOD.replace("[embed]", f"[embed]\n{line}")))
        assert config.embed.names == names
        assert options_in(config, config.train[0]).names == names


def test_clips_are_embedded_and_classified_from_a_config_and_not_asked_of_a_second_encoder(tmp_path, monkeypatch):
    from pipelines.chain import config_stages
    from pipelines.engine.workspace import Workspace

    content = GOOD.replace("[embed]", "[embed]\nclip_frames = 16").replace("[[train]]", '[[train]]\nclassify = "clip"')
    config = read_config(written(tmp_path, content))
    assert config_stages.options_in(config, config.train[0]).classify == "clip"
    asked = []
    monkeypatch.setattr(config_stages, "embed_stages", lambda *arguments: asked.append(arguments[3]) or [])
    monkeypatch.setattr(config_stages, "hands_stages", lambda *arguments: [])
    monkeypatch.setattr(config_stages, "decode_stages", lambda *arguments: [])
    config_stages._embed_one(Workspace.open(tmp_path / "work"), config, None, ["mine"])
    assert [(options.clip_frames, options.text) for options in asked] == [(16, True), (None, False)]


def test_a_train_section_takes_the_terms_of_the_command(tmp_path):
    policy = 'recipe = "matched"\nsource_val = "20%"\nselect = "target"\ntarget = "other:val"\nset = {'
    config = read_config(written(tmp_path, GOOD.replace("set = {", policy)))
    assert options_in(config, config.train[0]).policy == SelectionPolicy("matched", 20.0, "target", "other:val")
    plain = read_config(written(tmp_path, GOOD.replace("set = {", "source_val = 5\nset = {")))
    assert options_in(plain, plain.train[0]).policy == SelectionPolicy(source_val=5.0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ('select = "source-val"', r"train\.0: --select source-val needs recordings that are held out"),
        ('source_val = "some"', "expected a percentage"),
        ('recipe = "best"', "train.0.recipe: Input should be 'published' or 'matched'"),
    ],
)
def test_terms_that_can_not_be_are_refused_before_anything_runs(tmp_path, settings, text):
    with pytest.raises(InputError, match=text):
        read_config(written(tmp_path, GOOD.replace("set = {", f"{settings}\nset = {{")))


def test_one_hand_class_may_be_written_as_before_and_several_as_a_list(tmp_path):
    for written_as, given in (('"palm"', ("palm",)), ('"a,b"', ("a,b",)), ('["left", "right"]', ("left", "right"))):
        text = GOOD.replace("[hands]", f"[hands]\nhand_class = {written_as}")
        assert read_config(written(tmp_path, text)).hands.hand_class == given
    own = GOOD.replace('reader = "table"', 'reader = "table"\nhands = { weights = "h.pt", hand_class = "palm" }')
    assert read_config(written(tmp_path, own)).hands_of("mine").hand_class == ("palm",)


def test_trackers_are_a_list_of_one_training_and_no_axis_of_a_grid(tmp_path):
    file = tmp_path / "xmic.toml"
    file.write_text(
        '[[dataset]]\nname = "x"\nreader = "table"\nfiles = ["val=x.csv"]\n[embed]\nencoder = "pocket"\n'
        '[[train]]\ndataset = "x"\nlog = ["tensorboard", "mlflow"]\n'
    )
    (cell,) = read_cells(file)
    assert cell.config.train[0].log == ("tensorboard", "mlflow")
    file.write_text(file.read_text().replace("mlflow", "paper"))
    with pytest.raises(InputError, match=r"train\.0.*log.*tensorboard"):
        read_cells(file)
