"""The view model of a call."""

from whisp.terminal.transcript import FileRow, FileState, Mark, Message, Notice, Transcript


def said(number: int, *, own: bool = True, text: str = "hello") -> Message:
    return Message(own, text, 0.0, number, Mark.SENT)


def test_marks_move_up_to_a_number_and_never_back() -> None:
    transcript = Transcript()
    messages = [said(number) for number in (1, 2, 3)]
    for message in messages:
        transcript.add(message)
    transcript.advance(1, 2, Mark.READ)
    transcript.advance(1, 3, Mark.DELIVERED)
    assert [message.mark for message in messages] == [Mark.READ, Mark.READ, Mark.DELIVERED]
    transcript.advance(1, 1, Mark.DELIVERED)
    assert [message.mark for message in messages] == [Mark.READ, Mark.READ, Mark.DELIVERED]


def test_marks_touch_only_the_numbers_named() -> None:
    transcript = Transcript()
    messages = [said(number) for number in (1, 2, 3)]
    for message in messages:
        transcript.add(message)
    transcript.advance(2, 2, Mark.DELIVERED)
    assert [message.mark for message in messages] == [Mark.SENT, Mark.DELIVERED, Mark.SENT]


def test_marks_pass_by_the_peers_messages_and_unsent_ones() -> None:
    transcript = Transcript()
    theirs, unsent = said(1, own=False), Message(True, "wait", 0.0)
    transcript.add(theirs)
    transcript.add(unsent)
    transcript.advance(1, 5, Mark.READ)
    assert theirs.mark is Mark.SENT
    assert unsent.mark is Mark.ON_ITS_WAY


def test_what_waited_for_the_line_is_sent_when_it_is_back() -> None:
    transcript = Transcript()
    waiting = Message(True, "wait", 0.0, 4)
    unnumbered = Message(True, "not yet", 0.0)
    transcript.add(waiting)
    transcript.add(unnumbered)
    transcript.sent()
    assert waiting.mark is Mark.SENT
    assert unnumbered.mark is Mark.ON_ITS_WAY


def test_find_looks_at_texts_and_file_names_in_any_case() -> None:
    transcript = Transcript()
    transcript.add(Notice("pipe"))
    transcript.add(said(1, text="The new PIPE"))
    transcript.add(FileRow(False, b"1", "pipeline.pdf", 9, 0.0))
    transcript.add(said(2, text="other"))
    assert transcript.find("pipe") == [1, 2]
    assert transcript.find("") == []


def test_counts_and_offers() -> None:
    transcript = Transcript()
    transcript.add(said(1))
    transcript.add(said(7, own=False))
    first = FileRow(False, b"1", "a", 9, 0.0)
    second = FileRow(False, b"2", "b", 9, 0.0)
    transcript.add(first)
    transcript.add(second)
    assert (transcript.messages, transcript.saved, transcript.last_received()) == (2, 0, 7)
    assert transcript.last_offer() is second
    second.state = FileState.DONE
    assert transcript.last_offer() is first
    assert transcript.saved == 1


def test_s29_wiping_lets_go_of_every_word() -> None:
    transcript = Transcript()
    message, row = said(1, text="canary"), FileRow(False, b"1", "canary.pdf", 9, 0.0)
    transcript.add(message)
    transcript.add(row)
    before = transcript.version
    transcript.wipe()
    assert len(transcript) == 0
    assert (message.text, row.name) == ("", "")
    assert transcript.version > before


def test_no_repr_shows_what_was_said() -> None:
    transcript = Transcript()
    transcript.add(said(1, text="canary"))
    row = FileRow(False, b"1", "canary.pdf", 9, 0.0)
    assert "canary" not in repr(transcript) + repr(said(1, text="canary")) + repr(row)
