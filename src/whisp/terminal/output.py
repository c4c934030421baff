"""What a command prints: messages on stdout, everything about them on stderr, or JSON for scripts."""

import json
import os
import sys
from typing import TextIO

from whisp.terminal.glyphs import Glyphs, choose
from whisp.terminal.inert import inert, inert_line

__all__ = ["Output"]


class Output:
    """The two streams of a command. Foreign text is made inert here, or escaped by JSON."""

    def __init__(
        self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self.as_json = as_json
        self.glyphs: Glyphs = choose(encoding=self._out.encoding or "ascii")
        self.has_colour = self._out.isatty() and not os.environ.get("NO_COLOR")

    def record(self, event: str, /, **fields: object) -> None:
        """Write one JSON object on its own line; nothing unless `--json` was asked for.

        Everything but printable ASCII is escaped, so a record is inert too.
        """
        if self.as_json:
            line = json.dumps({"event": event, **fields}, ensure_ascii=True).replace("\x7f", "\\u007f")
            self._write(self._out, line)

    def say(self, sentence: str) -> None:
        """Write one line of result for a person; nothing with `--json`."""
        if not self.as_json:
            self._write(self._out, self.glyphs.say(sentence))

    def message(self, who: str, text: str) -> None:
        """Write a message of `who`; its further lines are indented, so none can pass for another's."""
        if not self.as_json:
            name = inert_line(who)
            body = inert(text).replace("\n", "\n" + " " * (len(name) + 2))
            self._write(self._out, self.glyphs.say(f"{name}: {body}"))

    def tell(self, sentence: str) -> None:
        """Write one line about what happens, on stderr; nothing with `--json`."""
        if not self.as_json:
            self._write(self._err, self.glyphs.say(sentence))

    def fail(self, sentence: str, code: int) -> None:
        """Write why it failed, on stderr, in either form."""
        if self.as_json:
            self._write(self._err, json.dumps({"event": "error", "message": sentence, "exit": code}))
        else:
            self._write(self._err, self.glyphs.say(sentence))

    def ask(self, question: str) -> None:
        """Write a question without ending the line, on stderr."""
        self._err.write(self.glyphs.say(question))
        self._err.flush()

    @staticmethod
    def _write(stream: TextIO, line: str) -> None:
        encoding = stream.encoding or "ascii"
        stream.write(f"{line}\n".encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
