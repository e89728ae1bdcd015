"""Below the path of a reverse proxy: one that strips the path, one that keeps it."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from support.images import png
from support.servers.memery import serving
from support.servers.proxy import proxying

TOKEN = "a-token-of-32-letters-or-so-1234"
PREFIX = "/photos"


@pytest.fixture(scope="module", params=[True, False], ids=["strips", "keeps"])
def behind(request, photos, server):
    """Has the address of the proxy as `front`."""
    words = ["--no-index", "--root-path", PREFIX, "--forwarded-allow", "127.0.0.1",
             "--token", TOKEN, "--allowed-host", "photos.example"]  # fmt: skip
    with serving(photos, words=words) as behind:
        address = f"http://127.0.0.1:{behind.port}"
        with proxying(address, PREFIX, strips=request.param) as behind.front:
            yield behind


def ask(behind, method, path, body=None, **headers):
    """A path as answers name it, asked of the proxy."""
    connection = http.client.HTTPConnection(urlsplit(behind.front).netloc, timeout=60)
    sent = {"Authorization": f"Bearer {TOKEN}", "Host": "photos.example"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def test_addresses_in_answers_lead_back_through_the_proxy(behind):
    answer, body = ask(behind, "GET", f"{PREFIX}/v1/search?text=red")
    assert answer.status == 200
    hit = json.loads(body)["hits"][0]
    for name in ("thumbnail_url", "image_url"):
        answer, body = ask(behind, "GET", hit[name])
        assert (answer.status, bool(body)) == (200, True)
    answer, _ = ask(behind, "GET", f"{PREFIX}/")
    assert answer.status == 200
    assert ask(behind, "GET", f"{PREFIX}/page/latest/main.js")[0].status == 200
    assert ask(behind, "GET", f"{PREFIX}/v1/nowhere")[0].status == 404
    answer, body = ask(behind, "GET", f"{PREFIX}/v1/openapi.json")
    assert json.loads(body)["servers"] == [{"url": PREFIX}]


def test_link_logs_in_below_the_path(behind):
    answer, _ = ask(behind, "GET", f"{PREFIX}/?token={TOKEN}&q=red", Authorization="")
    assert (answer.status, answer.headers["Location"]) == (303, f"{PREFIX}/?q=red")
    cookie, *rest = answer.headers["Set-Cookie"].split("; ")
    assert f"Path={PREFIX}/" in rest
    assert ask(behind, "GET", f"{PREFIX}/v1/status", Authorization="")[0].status == 401
    answer, _ = ask(behind, "GET", f"{PREFIX}/v1/status", Authorization="", Cookie=cookie)
    assert answer.status == 200


def test_accepts_uploads_of_own_page_only(behind):
    """A proxy may put its own name for the server in place of the Host that the browser asked."""
    body = (b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
            + png("red") + b"\r\n--b--\r\n")  # fmt: skip
    form = {"Content_Type": "multipart/form-data; boundary=b"}
    for host, origin, status in (
        ("photos.example", "http://photos.example", 201),
        ("127.0.0.1", "https://photos.example", 201),
        ("127.0.0.1", "https://evil.example", 403),
        ("127.0.0.1", "https://photos.example.evil.example", 403),
        ("photos.example", "https://photos.example:8443", 403),
    ):
        answer, _ = ask(behind, "POST", f"{PREFIX}/v1/uploads", body, Host=host, Origin=origin,
                        **form)  # fmt: skip
        assert answer.status == status, (host, origin)


def test_event_streams_take_no_request_from_others(photos, server):
    words = {"root_path": PREFIX, "token": TOKEN, "allowed_hosts": ["photos.example"]}
    with serving(photos, limits={"requests": 2}, **words) as behind:
        address = f"http://127.0.0.1:{behind.port}"
        with proxying(address, PREFIX, strips=False) as behind.front:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            followers = []
            for _ in range(3):
                connection = http.client.HTTPConnection(urlsplit(behind.front).netloc, timeout=60)
                followers.append(connection)
                connection.request("GET", f"{PREFIX}/v1/index/events", headers=headers)
                answer = connection.getresponse()
                assert answer.status == 200
                assert answer.readline() == b"event: progress\n"
            assert ask(behind, "GET", f"{PREFIX}/v1/status")[0].status == 200
            for connection in followers:
                connection.close()


def test_takes_client_from_the_proxy(behind):
    ask(behind, "GET", f"{PREFIX}/healthz", X_Request_ID="behind-a-proxy")
    line = behind.wait_for_line('"behind-a-proxy"')
    assert json.loads(line)["client"] == "203.0.113.9"
