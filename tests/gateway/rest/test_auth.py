"""Who may ask: addresses, tokens, other sites' pages; and what browsers are told."""

import json
import re
import socket

import pytest

from memery.gateway.rest.middleware.auth import CONTENT_SECURITY
from memery.gateway.rest.middleware.rate_limit import CLIENTS_REMEMBERED, client_of
from memery.gateway.rest.middleware.token_attempts import TokenAttempts
from memery.gateway.rest.schemas.problems import Problem
from support.commands import run_command, run_python
from support.servers.memery import form, serving

TOKEN = "a-token-of-32-letters-or-so-1234"


@pytest.fixture(scope="module")
def guarded(photos, server):
    words = ["--token", TOKEN, "--no-index", "--allowed-host", "photos.example"]
    with serving(photos, words=words) as guarded:
        yield guarded


@pytest.mark.parametrize(
    "path", ["/", "/v1/search?text=red", "/v1/nowhere", "/healthz", "/page/latest/nothing.js"]
)
def test_sends_security_headers_with_every_answer(server, path):
    headers = server.get(path).headers
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY
    assert "unsafe" not in CONTENT_SECURITY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-ID"])
    assert "Access-Control-Allow-Origin" not in headers
    assert "Server" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:80", 200),
        ("LOCALHOST", 200),
        ("[::1]:7890", 200),
        ("127.0.0.1", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:7890", 421),
        ("evil.example@127.0.0.1", 421),
        ("127.0.0.2", 421),
        ("0.0.0.0", 421),
        ("169.254.169.254", 421),
        ("", 421),
        ("localhost:x", 421),
    ],
)
def test_rejects_foreign_hosts(server, host, status):
    for path in ("/", "/healthz", "/v1/search?text=red"):
        assert server.get(path, Host=host).status == status


def test_accepts_host_that_was_named(guarded):
    headers = {"Host": "photos.example", "Authorization": f"Bearer {TOKEN}"}
    assert guarded.ask("GET", "/v1/status", headers=headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"},
        {"Origin": "file://"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_rejects_changes_from_foreign_pages(server, headers):
    body, kind = form([("image", "a.png", b"x")])
    jobs = server.get("/v1/index").json()
    for method, path, sent in (
        ("POST", "/v1/index", {}),
        ("DELETE", "/v1/index", {}),
        ("POST", "/v1/uploads", {"Content-Type": kind}),
        ("POST", "/v1/search", {"Content-Type": kind}),
        ("POST", "/v1/encode", {"Content-Type": kind}),
    ):
        assert server.ask(method, path, body, sent | headers).status == 403
    assert server.get("/v1/index").json() == jobs


def test_accepts_changes_from_own_page(server):
    for headers in (
        {"Origin": server.url, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {},
    ):
        answer = server.post("/v1/search", {"query": [{"text": "red"}]}, **headers)
        assert answer.status == 200


def test_rejects_requests_without_token(guarded):
    for path in ("/v1/search?text=red", "/v1/images", "/v1/facets", "/v1/status", "/metrics",
                 "/v1/index/events", "/v1/openapi.json", "/v1/model", "/v1/images/x/file",
                 "/v1/thumbnails/x", "/nowhere", "/v1/%73earch?text=red", "//v1/status",
                 "/page/../v1/status"):  # fmt: skip
        answer = guarded.get(path)
        assert answer.status in (401, 404), path
        assert b"red.png" not in answer.body
    for headers in (
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": "Bearer \xff"},
        {"Authorization": "Bearer"},
        {"Cookie": f"memery_{guarded.port}={TOKEN}"},
        {"Cookie": f"memery_{guarded.port}="},
        {"Cookie": "memery"},
    ):
        answer = guarded.ask("GET", "/v1/status", headers=headers)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), headers
    for path in ("/", "/healthz", "/readyz"):
        assert guarded.get(path).status == 200
    assert guarded.ask("POST", "/v1/index").status == 401
    assert guarded.get(f"/v1/status?token={TOKEN}").status == 401


def test_link_logs_in(guarded):
    assert guarded.link.endswith(f"/?token={TOKEN}")
    wrong = guarded.get("/?token=wrong")
    assert (wrong.status, wrong.headers["Set-Cookie"]) == (401, None)
    answer = guarded.get(f"/?token={TOKEN}&text=red")
    assert (answer.status, answer.headers["Location"]) == (303, "/?text=red")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    shown = cookie.partition(";")[0]
    assert guarded.get("/v1/status", Cookie=f"other=1; {shown}").status == 200
    assert guarded.get("/v1/status", Authorization=f"Bearer {TOKEN}").status == 200
    assert guarded.get("/v1/status", Authorization=f"bearer {TOKEN}").status == 200


def test_logs_neither_tokens_nor_queries(guarded):
    guarded.get("/v1/search?text=verysecretwords", Authorization=f"Bearer {TOKEN}")
    guarded.get(f"/?token={TOKEN}")
    guarded.get("/v1/status", X_Request_ID="my-id.1", Authorization=f"Bearer {TOKEN}")
    odd = guarded.get("/v1/status", X_Request_ID='a"b\\n', Authorization=f"Bearer {TOKEN}")
    assert odd.headers["X-Request-ID"] != 'a"b\\n'
    guarded.wait_for_line(odd.headers["X-Request-ID"])
    line = json.loads(guarded.wait_for_line('"my-id.1"'))
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/status", 200)
    assert line["ms"] >= 0
    logged = "\n".join(line for line in guarded.lines if line.startswith("{"))
    assert "verysecretwords" not in logged
    assert TOKEN not in logged


def test_makes_token_if_served_beyond_this_machine(photos, server):
    with serving(photos, words=["--host", "0.0.0.0", "--no-index"]) as open_:
        token = re.search(r"\?token=(\S{32})$", open_.link)[1]
        assert open_.get("/v1/status").status == 401
        headers = {"Authorization": f"Bearer {token}"}
        status = open_.ask("GET", "/v1/status", headers=headers).json()
        assert status["index_allowed"] is False
        assert open_.ask("POST", "/v1/index", headers=headers).status == 403
        (listed,) = open_.ask("GET", "/v1/collections", headers=headers).json()
        assert listed["path"] is None
        # Any address of the machine is accepted, but no foreign name.
        for host, expected in (("10.1.2.3", 200), (socket.gethostname(), 200), ("evil.com", 421)):
            answer = open_.ask("GET", "/v1/status", headers=headers | {"Host": host})
            assert answer.status == expected


def test_accepts_proxy_and_sites_that_were_named(photos, server):
    words = ["--no-index", "--root-path", "/photos", "--cors-origin", "https://site.example",
             "--forwarded-allow", "127.0.0.1", "--token", TOKEN]  # fmt: skip
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with serving(photos, words=words) as proxied:
        (image,) = proxied.ask("GET", "/v1/images?top_k=1", headers=headers).json()["images"]
        assert image["thumbnail_url"].startswith("/photos/v1/thumbnails/")
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
        answer = proxied.ask("GET", f"/?token={TOKEN}", headers=forwarded)
        assert answer.headers["Location"] == "/photos/"
        assert "Secure" in answer.headers["Set-Cookie"]
        assert "Path=/photos/" in answer.headers["Set-Cookie"]
        allowed = headers | {"Origin": "https://site.example"}
        answer = proxied.ask("GET", "/v1/status", headers=allowed)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://site.example"
        assert proxied.ask("DELETE", "/v1/index", headers=allowed).status == 200
        preflight = {"Origin": "https://site.example", "Access-Control-Request-Method": "POST",
                     "Access-Control-Request-Headers": "Authorization"}  # fmt: skip
        answer = proxied.ask("OPTIONS", "/v1/search", headers=preflight)
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Headers"]
        strange = preflight | {"Origin": "https://e.example"}
        assert proxied.ask("OPTIONS", "/v1/search", headers=strange).status == 400
        other = proxied.ask("GET", "/v1/status", headers=headers | {"Origin": "https://e.example"})
        assert "Access-Control-Allow-Origin" not in other.headers
        proxied.wait_for_line(other.headers["X-Request-ID"])
        clients = {json.loads(line)["client"] for line in proxied.lines if line[0] == "{"}
        assert clients == {"127.0.0.1", "203.0.113.9"}


def test_ignores_forwarded_headers_of_unknown_clients(server):
    server.get("/healthz", X_Forwarded_For="203.0.113.9", X_Request_ID="stranger")
    line = server.wait_for_line('"stranger"')
    assert json.loads(line)["client"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "Name a folder to serve"),
        (["--encoder-only", "."], 2, "Remove the folders"),
        (["--encoder-only", "--open"], 2, "no page"),
        (["nowhere"], 3, "does not exist"),
        ([".", "--host", "203.0.113.1"], 2, "Cannot listen on"),
        ([".", "--host", "no such host"], 2, "Cannot listen on"),
        ([".", "--host", "a" * 64], 2, "Cannot listen on"),
        ([".", "--host", b"\xff"], 2, "Cannot listen on"),
        ([".", "--root-path", "photos"], 2, "must begin with a slash"),
        ([".", "--root-path", "/a b"], 2, "must begin with a slash"),
        ([".", "--token", "gr\u00fcn"], 2, "--token must consist"),
        ([".", "--allowed-host", "http://x:1/"], 2, "Invalid --allowed-host"),
        ([".", "--allowed-host", "*"], 2, "Invalid --allowed-host"),
        ([".", "--forwarded-allow", "nope"], 2, "Invalid --forwarded-allow"),
        ([".", "--forwarded-allow", "*"], 2, "Invalid --forwarded-allow"),
        ([".", "--cors-origin", "*"], 2, "Invalid --cors-origin"),
        ([".", "--cors-origin", "https://site.example/"], 2, "Invalid --cors-origin"),
        ([".", "--cors-origin", "null"], 2, "Invalid --cors-origin"),
        ([".", ".", "--archive", "x"], 2, "one folder only"),
        ([".", "--model", "nonsense"], 4, "no model named"),
    ],
)
def test_rejects_invalid_arguments(tmp_path, words, code, message):
    done = run_command("serve", *words, cwd=tmp_path, check=code)
    assert done.stdout == ""
    assert message in done.stderr


def test_names_option_for_a_port_in_use(server, tmp_path):
    done = run_command("serve", tmp_path, "--port", str(server.port), check=2)
    assert "Choose another port with --port" in done.stderr


def test_other_commands_load_no_server():
    code = "import sys, memery.gateway.main; print(*sys.modules)"
    loaded = run_python("-c", code).stdout.split()
    assert "memery.gateway.main" in loaded
    assert not {"fastapi", "uvicorn", "pydantic", "numpy", "PIL"} & set(loaded)


def bearer(server, token, **headers):
    return server.get("/v1/status", Authorization=f"Bearer {token}", **headers)


def test_slows_down_a_client_that_guesses(photos):
    limits = {"wrong_tokens": 3, "wrong_token_seconds": 1000.0}
    with serving(photos, limits=limits, token=TOKEN, forwarded_allow=["127.0.0.1"]) as server:
        guesses = [f"guess-number-{number}" for number in range(6)]
        assert server.get("/v1/status").status == 401  # who shows nothing does not guess
        assert bearer(server, TOKEN, X_Forwarded_For="10.0.0.9").status == 200
        assert [bearer(server, guess).status for guess in guesses] == [401] * 3 + [429] * 3
        refused = bearer(server, "guess-number-7")
        assert 900 < int(refused.headers["Retry-After"]) <= 1001
        assert "wait" in refused.json()["detail"]
        assert refused.headers["X-Content-Type-Options"] == "nosniff"
        # Not even the right one is looked at: else every guess could be tried.
        assert bearer(server, TOKEN).status == 429
        assert server.get(f"/?token={TOKEN}").status == 429
        cookie = f"memery_{server.port}=guess"
        assert server.get("/v1/status", Cookie=cookie).status == 429
        # An old page goes on showing the token of a server from before.
        assert [bearer(server, guesses[0]).status for _ in range(5)] == [401] * 5
        # Other clients are not concerned, nor who has shown the right one before.
        for guess in guesses:
            bearer(server, guess, X_Forwarded_For="10.0.0.9")
        assert bearer(server, TOKEN, X_Forwarded_For="10.0.0.9").status == 200
        assert bearer(server, TOKEN, X_Forwarded_For="10.0.0.10").status == 200
        server.wait_for_line("Wrong token from 127.0.0.1: 3 so far.")
    assert not [line for line in server.lines if "guess" in line]
    assert sum("Wrong token from" in line for line in server.lines) == 6


def test_forgets_wrong_tokens_with_time():
    now = [0.0]
    attempts = TokenAttempts(2, 10.0, lambda: now[0])

    def show(token, client="a"):
        try:
            return attempts.check(client, token, "right")
        except Problem as problem:
            return problem.status, problem.headers["Retry-After"]

    assert [show(token) for token in ("1", "2", "3", "right")] == [False, False] + [(429, "11")] * 2
    now[0] += 9.5
    assert show("right") == (429, "1")
    now[0] += 0.5
    assert show("right") is True
    assert [show(token) for token in ("4", "5", "right")] == [False, (429, "11"), True]
    for number in range(CLIENTS_REMEMBERED + 10):
        show("wrong", f"client {number}")
    assert len(attempts._clients) == CLIENTS_REMEMBERED
    assert show("right") is True


def test_counts_an_ipv6_network_as_one_client():
    hosts = {"10.0.0.9": "10.0.0.9", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "name": "name"}
    assert {host: client_of({"client": (host, 1)}) for host in hosts} == hosts
    assert client_of({"client": None}) == ""


def test_counts_refused_requests_for_the_rate(photos):
    with serving(photos, limits={"rate": 0.001, "burst": 8}, token=TOKEN) as server:
        requests = [
            *[server.get("/v1/status") for _ in range(4)],
            *[server.get("/", Host="evil.example") for _ in range(4)],
            *[server.get("/v1/status", Authorization=f"Bearer {TOKEN}") for _ in range(2)],
        ]
    assert [answer.status for answer in requests] == [401] * 4 + [421] * 4 + [429] * 2
    assert requests[-1].headers["X-Content-Type-Options"] == "nosniff"
