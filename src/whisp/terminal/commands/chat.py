"""`whisp chat NAME`: ring, then talk in lines."""

from whisp.terminal import words
from whisp.terminal.commands.line_chat import LineChat
from whisp.terminal.commands.session import Session
from whisp.terminal.exits import Exit
from whisp.terminal.inert import inert_line
from whisp.terminal.screen_guard import ScreenGuard
from whisp.terminal.stdin import read_lines

__all__ = ["run"]


async def run(session: Session, name: str, *, stay: bool = False, ring_seconds: float) -> Exit:
    """Ring `name` and talk until someone hangs up or the input ends.

    Raises:
        NotFoundError, CallError, IdentityError: it led to no conversation.
    """
    output = session.output
    async with session.account() as client:
        output.tell(f"{words.ringing(inert_line(name))} {words.RING_SUB}")
        output.record("ringing", name=name)
        conversation = await client.call(name, timeout=ring_seconds)
        with ScreenGuard():
            code = await LineChat(conversation, output, stay=stay).run(read_lines())
    output.tell(words.GONE)
    return code
