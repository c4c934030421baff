"""From handshake to session: the secrets move into a ratchet, and the place they came from is wiped."""

from whisp.core.events import Member
from whisp.core.handshake import Role, SessionSecrets
from whisp.core.ratchet import Ratchet
from whisp.core.session import HeldList, Session
from whisp.wire.errors import LocalProtocolError

__all__ = ["start_session"]


def start_session(
    secrets: SessionSecrets, *, local: Member, remote: Member, now: float, held_list: HeldList | None = None
) -> Session:
    """Return the session that a handshake's secrets belong to, and wipe `secrets`.

    The initiator's first frame, `Session.opening`, travels in CONFIRM; the responder can send once it has
    received that one.

    Raises:
        LocalProtocolError: a responder's secrets without the private half of EK_b.
    """
    common = (secrets.pq_root.expose(), secrets.pq_chain_a.expose(), secrets.pq_chain_b.expose(), now)
    sid, root_key = secrets.sid, secrets.root_key.expose()
    if secrets.role is Role.INITIATOR:
        ratchet = Ratchet.initiator(sid, root_key, secrets.ratchet_public_key, *common)
    elif secrets.ratchet_private_key is None:
        raise LocalProtocolError("a responder's ratchet needs the private half of its first key")
    else:
        ratchet = Ratchet.responder(sid, root_key, secrets.ratchet_private_key, *common)
    exporter = secrets.exporter.copy()
    secrets.wipe()
    return Session(
        ratchet, sid=sid, exporter=exporter, local=local, remote=remote, now=now, held_list=held_list
    )
