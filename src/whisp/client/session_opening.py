"""From a finished handshake to a session that can speak."""

from whisp.client.people import Member
from whisp.core.events import Member as CoreMember
from whisp.core.handshake import SessionSecrets
from whisp.core.identity import PeerIdentity
from whisp.core.ratchet import Ratchet
from whisp.core.session import HeldList, Session

__all__ = ["open_session"]


def open_session(
    secrets: SessionSecrets, own: Member, peer: Member, identity: PeerIdentity, now: float
) -> Session:
    """Return the session of these secrets, and wipe them: the session owns its copies."""
    keys = (secrets.pq_root.expose(), secrets.pq_chain_a.expose(), secrets.pq_chain_b.expose())
    root_key = secrets.root_key.expose()
    if secrets.ratchet_private_key is None:
        ratchet = Ratchet.initiator(secrets.sid, root_key, secrets.ratchet_public_key, *keys, now)
    else:
        ratchet = Ratchet.responder(secrets.sid, root_key, secrets.ratchet_private_key, *keys, now)
    session = Session(
        ratchet,
        sid=secrets.sid,
        exporter=secrets.exporter.copy(),
        local=CoreMember(own.account, own.device),
        remote=CoreMember(peer.account, peer.device),
        now=now,
        held_list=HeldList(identity.device_list.version, identity.device_list.digest()),
    )
    secrets.wipe()
    return session
