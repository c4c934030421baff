"""What a page's WebRTC does, by the browser's own account: its connections, their candidates and channels."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from tests.coturn import SECRET, Coturn
from tests.web.person import PATIENCE_MS, Person

__all__ = [
    "ANOTHER_CERTIFICATE",
    "NO_WEBRTC",
    "Connection",
    "connections",
    "line_of",
    "note_webrtc",
    "turn_environment",
    "ways",
]

NO_WEBRTC: Final = "delete globalThis.RTCPeerConnection; delete globalThis.webkitRTCPeerConnection;"
"""A browser whose owner has switched it off."""

ANOTHER_CERTIFICATE: Final = """{
    const Original = RTCPeerConnection;
    let other = [];
    const kind = { name: "ECDSA", namedCurve: "P-256" };
    void Original.generateCertificate(kind).then((made) => (other = [made]));
    globalThis.RTCPeerConnection = class extends Original {
        constructor(configuration) { super({ ...configuration, certificates: other }); }
    };
}"""
"""A page that shows another certificate on the line than it named in the handshake."""

_NOTE: Final = """{
    const Original = RTCPeerConnection;
    const noted = [];
    Object.defineProperty(globalThis, "noted", { value: noted });
    globalThis.RTCPeerConnection = class extends Original {
        constructor(configuration) {
            super(configuration);
            const own = { peer: this, policy: configuration.iceTransportPolicy, made: [], channels: [] };
            own.restarts = own.received = 0;
            own.servers = (configuration.iceServers ?? []).flatMap(({ urls }) => urls);
            this.addEventListener("icecandidate", ({ candidate }) => {
                if (candidate?.type) own.made.push(candidate.type);
            });
            noted.push(own);
        }
        createOffer(options) {
            if (options?.iceRestart) noted.find(({ peer }) => peer === this).restarts += 1;
            return super.createOffer(options);
        }
        createDataChannel(...all) {
            const channel = super.createDataChannel(...all);
            const own = noted.find(({ peer }) => peer === this);
            own.channels.push(channel);
            channel.addEventListener("message", () => { own.received += 1; });
            return channel;
        }
    };
}"""

_LOOK: Final = """async () => Promise.all(noted.map(async (own) => {
    const stats = new Map(await own.peer.getStats());
    const all = [...stats.values()];
    const kinds = (side) =>
        all.filter(({ type }) => type === `${side}-candidate`).map(({ candidateType }) => candidateType);
    const transport = all.find(({ type }) => type === "transport");
    const pair = stats.get(transport?.selectedCandidatePairId);
    const kind = (id) => stats.get(id)?.candidateType ?? null;
    return {
        policy: own.policy,
        servers: own.servers,
        made: own.made,
        state: own.peer.connectionState,
        is_open: own.channels.some(({ readyState }) => readyState === "open"),
        restarts: own.restarts,
        received: own.received,
        local: kinds("local"),
        remote: kinds("remote"),
        pair: pair === undefined ? null : [kind(pair.localCandidateId), kind(pair.remoteCandidateId)],
        // not the pair's, which begin anew when ICE finds a better one
        bytes: transport === undefined ? 0 : Math.min(transport.bytesSent, transport.bytesReceived),
    };
}))"""


@dataclass(frozen=True, slots=True)
class Connection:
    """One RTCPeerConnection of a page. `local`, `remote` and `pair` are those of getStats."""

    policy: str
    servers: list[str]
    made: list[str]
    """Types of all candidates that the page was ever told of, in order."""
    state: str
    is_open: bool
    restarts: int
    """How often ICE was begun anew from here."""
    received: int
    """Messages of its channel."""
    local: list[str]
    remote: list[str]
    pair: list[str] | None
    """The types of the two candidates in use."""
    bytes: int
    """What went over it, in the direction that carried less."""


async def note_webrtc(*people: Person) -> None:
    """Keep an account of each connection that these pages make; before they are opened."""
    for person in people:
        await person.context.add_init_script(_NOTE)


async def connections(person: Person) -> list[Connection]:
    """Return all that the page made since it was loaded."""
    found: list[dict[str, Any]] = await person.page.evaluate(_LOOK)
    return [Connection(**one) for one in found]


async def line_of(person: Person, policy: str = "relay") -> Connection:
    """Wait for an open line under a policy, `relay` or `all`; return it."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while True:
            for one in await connections(person):
                if one.is_open and one.policy == policy and one.pair is not None:
                    return one
            await asyncio.sleep(0.05)


def turn_environment(relay: Coturn) -> dict[str, str]:
    """Return the settings of a server in a process of its own, which shares its secret with this relay."""
    return {"WHISP_TURN_URLS": relay.url, "WHISP_TURN_SECRET": SECRET}


def ways(connection: Connection) -> set[str]:
    """Return the types of every candidate a page has made and used, whichever way they are learnt."""
    return {*connection.made, *connection.local, *(connection.pair or [])[:1]}
