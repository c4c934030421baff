"""Hypothesis strategies for values of every layout in `whisp.wire`."""

from hypothesis import strategies as st

from whisp.wire.certificate import Certificate, DeviceKind
from whisp.wire.device_list import FIRST_PREVIOUS, ActiveDevice, DeviceList, RevokedDevice
from whisp.wire.encoding import MAX_INTEGER
from whisp.wire.frames import (
    ClientFrame,
    HangUp,
    Hello,
    LineState,
    LineStatus,
    PreKeys,
    PreKeysLeft,
    Relay,
    Ring,
    Route,
    ServerFrame,
    Signalled,
    Welcome,
)
from whisp.wire.ids import AccountId, CallId, DeviceId, PreKeyId, RouteId, Username
from whisp.wire.prekey import PRE_KEY_BYTES, PreKeyBundle, PreKeyKind, PreKeyRecord
from whisp.wire.signals import NO_PRE_KEY, Answer, Cancel, Confirm, Decline, Offer, Signal
from whisp.wire.version import Version


def octets(length: int) -> st.SearchStrategy[bytes]:
    """Return byte strings of one length; long ones repeat a short seed, which is quicker to draw."""
    if length <= 64:
        return st.binary(min_size=length, max_size=length)
    return st.binary(min_size=8, max_size=8).map(lambda seed: (seed * (length // 8 + 1))[:length])


bytes_u8 = st.integers(0, 2**8 - 1)
u16s = st.integers(0, 2**16 - 1)
u32s = st.integers(0, 2**32 - 1)
u64s = st.integers(0, MAX_INTEGER)
device_ids = octets(16).map(DeviceId)
call_ids = octets(16).map(CallId)
route_ids = octets(16).map(RouteId)
account_ids = octets(32).map(AccountId)
pre_key_ids = octets(8).map(PreKeyId)
kinds = st.sampled_from(DeviceKind)
usernames = st.from_regex(r"\A[a-z0-9][a-z0-9-]{1,30}[a-z0-9]\Z").map(Username)
payloads = st.binary(min_size=1, max_size=400)

certificates = st.builds(
    Certificate, account_ids, device_ids, octets(32), octets(32), u64s, u64s, kinds, octets(64)
)


@st.composite
def device_lists(draw: st.DrawFn) -> DeviceList:
    """Draw a list whose devices are distinct and whose version fits what it says of the one before."""
    names = draw(st.lists(device_ids, unique=True, max_size=24))
    split = draw(st.integers(0, min(16, len(names))))
    version = draw(st.integers(1, 2**32 - 1))
    previous = draw(octets(32).filter(any)) if version > 1 else FIRST_PREVIOUS
    return DeviceList(
        draw(account_ids),
        version,
        previous,
        draw(u64s),
        draw(u64s),
        tuple(ActiveDevice(name, draw(octets(32))) for name in names[:split]),
        tuple(RevokedDevice(name, draw(u64s), draw(bytes_u8)) for name in names[split:]),
        draw(octets(64)),
    )


def records(kind: PreKeyKind) -> st.SearchStrategy[PreKeyRecord]:
    """Return records of one kind."""
    return st.builds(
        PreKeyRecord,
        st.just(kind),
        device_ids,
        pre_key_ids,
        u64s,
        u64s,
        u16s,
        u16s,
        octets(32),
        octets(1184),
        octets(64),
    )


bundles = st.builds(
    PreKeyBundle,
    certificates,
    device_lists(),
    records(PreKeyKind.SIGNED),
    st.none() | records(PreKeyKind.ONE_TIME),
)
offers = st.builds(
    Offer,
    bytes_u8,
    bytes_u8,
    call_ids,
    device_ids,
    pre_key_ids,
    st.none() | pre_key_ids.filter(lambda name: name != NO_PRE_KEY),
    octets(32),
    octets(1184),
    octets(1088),
    st.binary(max_size=900),
    st.binary(max_size=900),
)
answers = st.builds(
    Answer, bytes_u8, bytes_u8, call_ids, device_ids, octets(32), octets(1088), st.binary(max_size=900)
)
declines = st.builds(Decline, bytes_u8, bytes_u8, call_ids, device_ids, st.binary(max_size=40))
cancels = st.builds(Cancel, bytes_u8, bytes_u8, call_ids, device_ids, st.binary(max_size=40))
confirms = st.builds(Confirm, bytes_u8, bytes_u8, call_ids, octets(32), payloads)
signals: st.SearchStrategy[Signal] = st.one_of(offers, answers, declines, cancels, confirms)

versions = st.builds(Version, bytes_u8, bytes_u8)
tokens = st.text(st.characters(max_codepoint=127), max_size=1024)
signalled = st.builds(Signalled, device_ids, payloads)
relays = st.builds(Relay, route_ids, payloads)
client_frames: st.SearchStrategy[ClientFrame] = st.one_of(
    st.builds(Hello, versions, tokens),
    st.builds(PreKeys, st.lists(octets(PRE_KEY_BYTES), min_size=1, max_size=21).map(tuple)),
    signalled,
    st.builds(HangUp, call_ids),
    relays,
)
server_frames: st.SearchStrategy[ServerFrame] = st.one_of(
    st.builds(Welcome, versions),
    st.builds(PreKeysLeft, bytes_u8),
    signalled,
    st.builds(Ring, device_ids, usernames, payloads),
    st.builds(Route, call_ids, device_ids, route_ids),
    st.builds(LineStatus, call_ids, device_ids, st.sampled_from(LineState)),
    relays,
)
