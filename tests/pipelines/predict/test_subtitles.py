from __future__ import annotations

from pipelines.predict.answer import Answer, ClipAnswers
from pipelines.predict.subtitles import Cue, cues, srt, vtt
from tests.pipelines.predict.laid_out import lanes_of


def clip(start: float, stop: float, word: str, share: float, failed: str | None = None) -> ClipAnswers:
    answers = {} if failed else {"noun": [Answer(word, share, 0.0)], "verb": [Answer("cut", 0.5, 0.0)]}
    return ClipAnswers("a.mp4", start, stop, None, answers, (), failed)


def test_neighbours_with_the_same_words_are_one_cue_and_a_gap_parts_them() -> None:
    clips = [clip(0, 1, "cup", 0.9), clip(1, 2, "cup", 0.7), clip(3, 4, "cup", 0.9), clip(4, 5, "pot", 0.9)]
    assert cues(lanes_of(clips, 5.0, None)) == [
        Cue(0, 2, ["noun: cup 80%", "verb: cut 50%"]),
        Cue(3, 4, ["noun: cup 90%", "verb: cut 50%"]),
        Cue(4, 5, ["noun: pot 90%", "verb: cut 50%"]),
    ]


def test_doubt_and_failure_are_said() -> None:
    clips = [clip(0, 1, "cup", 0.9), clip(1, 2, "pot", 0.7, failed="past_end: too late")]
    assert cues(lanes_of(clips, 2.0, 0.6)) == [
        Cue(0, 1, ["noun: cup 90%", "verb: none of these"]),
        Cue(1, 2, ["no answer"]),
    ]


def test_both_formats_are_as_players_read_them() -> None:
    found = [Cue(0, 1.5, ["noun: cup <b> & 90%"]), Cue(3723.25, 3724, ["a", "b"])]
    assert srt(found) == (
        "1\n00:00:00,000 --> 00:00:01,500\nnoun: cup <b> & 90%\n\n2\n01:02:03,250 --> 01:02:04,000\na\nb\n"
    )
    assert vtt(found) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nnoun: cup &lt;b&gt; &amp; 90%\n\n"
        "01:02:03.250 --> 01:02:04.000\na\nb\n"
    )
