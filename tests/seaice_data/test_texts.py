"""Text from outside is made safe to show."""

import pytest

from seaice_data.texts import printable, redacted, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain æøå 海氷", "plain æøå 海氷"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("txt.\u202ecn.exe", r"txt.\u202ecn.exe"),
        ("a\u2028b", r"a\u2028b"),
        ("K\udcf8benhavn", r"K\udcf8benhavn"),
        ('it\'s "so"\\n', 'it\'s "so"\\n'),
    ],
)
def test_invisible_characters_become_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown
    shown.encode()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("store.zarr", "store.zarr"),
        ("/data/a@b/store.zarr", "/data/a@b/store.zarr"),
        ("s3://bucket/a@b.zarr", "s3://bucket/a@b.zarr"),
        ("http://u:s3cr3t@host:80/a/s.zarr", "http://host:80/a/s.zarr"),
        ("http://u:s3@cr3t@host/s.zarr", "http://host/s.zarr"),
        ("ftp://s3cr3t@host", "ftp://host"),
        ("ftp://u:s3/cr3t@host/a", "ftp://host/a"),
        ("http://host:80/a@b", "http://host:80/a@b"),
        ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
        ("https://h/s.zarr?sig=s3cr3t&v=1", "https://h/s.zarr?sig=...&v=1"),
        ("https://h?X-Amz-Signature=s3cr3t", "https://h?X-Amz-Signature=..."),
        ("https://h/s?access_token=s3cr3t#a", "https://h/s?access_token=...#a"),
        (
            "simplecache::zip://a.zarr::https://u:s3cr3t@h/s.zip",
            "simplecache::zip://a.zarr::https://h/s.zip",
        ),
    ],
)
def test_secrets_are_removed_from_urls(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        ("http://u:s3cr3t@h/a", "401, url='http://u:s3cr3t@h/a'", "401, url='http://h/a'"),
        ("ftp://u:s3%40cr3t@h", "login u, s3@cr3t failed", "login u, ... failed"),
        ("https://s3cr3ttoken@h/a", "no s3cr3ttoken", "no ..."),
        ("https://h/a?token=s3cr3t", "GET /a?token=s3cr3t", "GET /a?token=..."),
        ("github://a:b@/x", "cannot reach api", "cannot reach api"),
        ("data/store.zarr", "no data/store.zarr", "no data/store.zarr"),
    ],
)
def test_secrets_of_a_url_are_removed_from_messages_of_libraries(
    url: str, text: str, shown: str
) -> None:
    assert redacted(text, url) == shown
