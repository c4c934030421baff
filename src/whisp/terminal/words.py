"""The product's voice: every sentence a person reads, exact, in one place.

Names put into a sentence must be inert already. Numbers come from the settings in force.
"""

from datetime import datetime
from typing import Final

from whisp.client.errors import RingEnd
from whisp.client.events import Line
from whisp.wire.limits import HOLD_SECONDS

__all__ = [
    "ACCOUNT_EXPLAINED",
    "ANSWERED_ELSEWHERE",
    "BANNER",
    "CANNOT_KNOW",
    "DROPPED",
    "GONE",
    "GONE_REST",
    "LOCKED",
    "LOCKED_REST",
    "NAME_RULE",
    "NAME_TAKEN",
    "NOT_FOUND",
    "NOT_FOUND_EXPLAINED",
    "NOT_WHOLE",
    "NO_ACCOUNT",
    "NO_ANSWER",
    "RELAYED",
    "RING_SUB",
    "SERVER_DOWN",
    "STOPPED",
    "TAG_LINE",
    "asks_direct",
    "at_time",
    "busy",
    "calling",
    "clock",
    "count",
    "declined",
    "direct",
    "during",
    "erased",
    "first_contact",
    "held",
    "key_changed",
    "line_sentence",
    "lost_messages",
    "on_day",
    "ring_over",
    "ringing",
    "size",
    "try_again",
    "unheard",
]

TAG_LINE: Final = "A phone call, but for chat."
NOT_FOUND: Final = "User not found or offline."
NOT_FOUND_EXPLAINED: Final = (
    "A wrong name, a wrong code and a quiet phone all sound like this. Others hear the same about you."
)
NO_ACCOUNT: Final = "There is no account on this device yet. Make one with whisp register NAME."
NAME_TAKEN: Final = "That name is taken."
NAME_RULE: Final = "Use 3 to 32 of a to z, 0 to 9 and hyphen."
RING_SUB: Final = "Nothing is sent until they accept."
ANSWERED_ELSEWHERE: Final = "Answered on another device."
NO_ANSWER: Final = "No answer."
RELAYED: Final = "Relayed. Neither of you can see the other’s address."
DROPPED: Final = "The line dropped."
BANNER: Final = (
    "Nothing here is kept. It lives in memory on your two devices and vanishes when either of you hangs up."
)
STOPPED: Final = "This call was stopped."
NOT_WHOLE: Final = "This file did not arrive whole. It was thrown away."
GONE: Final = "Everything is gone."
GONE_REST: Final = "What was said now exists only in your memory."
LOCKED: Final = "Locked."
LOCKED_REST: Final = "Nothing is open. Nothing is left to see."
SERVER_DOWN: Final = "This server does not answer. Your keys and contacts are safe on this device."
CANNOT_KNOW: Final = "We cannot know what a camera or another person’s screen has kept."
ACCOUNT_EXPLAINED: Final = (
    "Your keys are on this device. Lose it, or the passphrase, and the name is lost with it."
)


def ringing(name: str) -> str:
    """Return the title of an outgoing ring."""
    return f"Ringing {name}…"


def calling(name: str) -> str:
    """Return the title of an incoming ring."""
    return f"{name} is calling"


def declined(name: str) -> str:
    """Return what to say when someone said no."""
    return f"{name} declined."


def busy(name: str) -> str:
    """Return what to say when someone is in another call."""
    return f"{name} is in another call."


def direct(name: str) -> str:
    """Return the line's sentence while both addresses are known to both."""
    return f"Direct. {name} can see your address, and you theirs."


def asks_direct(name: str) -> str:
    """Return the question before a direct line."""
    return f"{name} asks for a direct line. They would see your address."


def held(seconds: int) -> str:
    """Return how long a dropped call is still kept."""
    return f"The call is held for {count(max(0, seconds), 'more second')}, in memory, on both devices."


def first_contact(name: str) -> str:
    """Return the reminder shown until safety numbers were compared."""
    return f"You have not compared safety numbers with {name} yet."


def key_changed(name: str, compared: bool, added: float, now: float) -> str:
    """Return what happened when a known name came with another key; claim a comparison only if one was."""
    verb = "you compared on" if compared else "you met on"
    return f"{name}’s key is not the one {verb} {on_day(added, now)}. Nothing was sent."


def unheard(name: str) -> str:
    """Return what to say when the peer could not confirm its wipe."""
    return f"{name}’s device did not answer. It wipes by itself within {HOLD_SECONDS} seconds."


def try_again(seconds: float) -> str:
    """Return when a slowed-down look-up may be repeated."""
    return f"You can try again in {count(max(1, round(seconds)), 'second')}."


def erased(name: str) -> str:
    """Return the last words of an account."""
    return f"Your account is erased. The name {name} is not given to anyone else."


def lost_messages(number: int) -> str:
    """Return the sentence at a place where messages of the peer never arrived."""
    verb = "was" if number == 1 else "were"
    return f"{count(number, 'message')} {verb} lost here."


def count(number: int, noun: str) -> str:
    """Return `number` with its noun: "1 second", "8 seconds"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def clock(seconds: float) -> str:
    """Return a duration as digits: "0:12", "12:40", "1:02:03"."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def during(seconds: float) -> str:
    """Return a duration as words: "12 minutes and 40 seconds"."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [count(n, noun) for n, noun in ((hours, "hour"), (minutes, "minute"), (second, "second")) if n]
    if not parts:
        return "a moment"
    return " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else parts[0]


def at_time(at: float) -> str:
    """Return the local time of day: "14:05"."""
    return f"{datetime.fromtimestamp(at).astimezone():%H:%M}"


def on_day(at: float, now: float) -> str:
    """Return a local date as a person says it: "18 August", with the year unless it is this one."""
    day, today = datetime.fromtimestamp(at).astimezone(), datetime.fromtimestamp(now).astimezone()
    return f"{day.day} {day:%B}" if day.year == today.year else f"{day.day} {day:%B %Y}"


def size(octets: int) -> str:
    """Return a size in decimal units with at most one decimal: "18.4 MB"."""
    if octets < 1000:
        return count(octets, "byte")
    amount = float(octets)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.95 or unit == "TB":
            break
    return f"{amount:.1f} {unit}".replace(".0 ", " ")


def line_sentence(line: Line, name: str, seconds: int = HOLD_SECONDS) -> str:
    """Return the sentence under the name for each state of the line."""
    match line:
        case Line.RELAYED:
            return RELAYED
        case Line.DIRECT:
            return direct(name)
        case Line.HELD:
            return f"{DROPPED} {held(seconds)}"
        case Line.GONE:
            return GONE


def ring_over(end: RingEnd, name: str) -> str:
    """Return how an incoming ring ended that this device did not answer."""
    match end:
        case RingEnd.ELSEWHERE:
            return ANSWERED_ELSEWHERE
        case RingEnd.CANCELLED:
            return f"{name} stopped ringing."
        case RingEnd.TIMED_OUT:
            return f"{name} rang, and gave up."
        case RingEnd.FAILED:
            return f"{name} rang, but the call did not come about."
        case RingEnd.DECLINED | RingEnd.ACCEPTED:
            return ""
