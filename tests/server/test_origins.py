"""Which names the server answers to."""

import pytest

from whisp.server.errors import StartError
from whisp.server.origins import Origins


def test_an_origin_is_found_by_the_hosts_that_mean_it() -> None:
    origins = Origins(["https://Chat.Example", "http://localhost:8790/", "http://[::1]:8790"])
    assert origins.all == {"https://chat.example", "http://localhost:8790", "http://[::1]:8790"}
    for host in ("chat.example", "chat.example:443", "CHAT.example"):
        assert origins.of_host(host) == "https://chat.example"
    assert origins.of_host("[::1]:8790") == "http://[::1]:8790"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "chat.example:80",
        "chat.example.evil",
        "chat.example/",
        "chat.example?",
        "chat.example.",
        "chat.example:443@evil",
        " chat.example",
        "evil",
    ],
)
def test_no_other_host_is_answered(host: str) -> None:
    assert not Origins(["https://chat.example", "http://localhost:8790"]).is_allowed_host(host)


@pytest.mark.parametrize("origin", ["null", "", "http://chat.example", "https://chat.example.evil", "*"])
def test_no_other_page_may_talk_to_it(origin: str) -> None:
    origins = Origins(["https://chat.example"])
    assert origins.is_allowed_origin("https://chat.example")
    assert not origins.is_allowed_origin(origin)


@pytest.mark.parametrize(
    "bad",
    [
        "chat.example",
        "ftp://chat.example",
        "https://",
        "https://chat.example/path",
        "https://u@chat.example",
        "https://chat.example?x",
        "https://chat.example:port",
        "https://bücher.example",
    ],
)
def test_what_is_not_an_origin_is_told_at_the_start(bad: str) -> None:
    with pytest.raises(StartError, match="WHISP_ORIGINS"):
        Origins([bad])


def test_two_origins_that_cannot_be_told_apart_are_told_at_the_start() -> None:
    with pytest.raises(StartError, match="twice"):
        Origins(["http://chat.example:8080", "https://chat.example:8080"])
