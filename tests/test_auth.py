# SPDX-License-Identifier: Apache-2.0
"""Callers who are asked who they are: tokens of a users file and of an issuer, roles by namespace, and both while they change."""

import http.client
import json
import time

import grpc
import pytest

from support.certificates import digest, jwt, key_set, replace
from support.cli import run
from support.protocol import CURRENT, Service, failure_of, oxia
from support.server import eventually

USERS = [("root", "root-token", {"*": "admin"}), ("writer", "writer-token", {"default": "write"}),
         ("reader", "reader-token", {"default": "read", "other": "write"})]
DENIED, UNKNOWN = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED

NOT_ALLOWED = 7   # exit status


def users_file(users):
    return json.dumps({"users": [{"name": name, "token-sha256": digest(token), "roles": roles} for name, token, roles in users]})


@pytest.fixture
def guarded(make_server, tmp_path):
    """A server with two namespaces of one shard each, that asks everybody; users and issuers' keys in files of this test's own."""
    users, keys = tmp_path / "users.yaml", tmp_path / "keys.json"
    replace(users, users_file(USERS))
    replace(keys, key_set())
    issuers = {"issuers": {"https://idp": {"allowedAudiences": "skerry", "staticKeyFile": str(keys), "rolesClaim": "roles"}}}
    server = make_server(shards=1, start=False, arguments=[
        "--namespace=other", f"--auth-users-file={users}", "--auth-provider-name=oidc",
        f"--auth-provider-params={json.dumps(issuers)}", "--security-reload-interval=100ms"])
    server.users = users
    server.launch()
    eventually(lambda: "Started Grpc server" in server.output() or server.process.poll() is not None, "the start")
    assert server.running(), server.output()
    return server


class As:
    """The store as one caller sees it: every kind of call, with the caller's token."""

    def __init__(self, server, token):
        self.channel = grpc.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.store, self.health = Service(self.channel, CURRENT), Service(self.channel, "grpc.health.v1.Health")
        self.metadata = [("authorization", f"Bearer {token}")] if token else []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def call(self, method, request, metadata=()):
        return getattr(self.store, method)(request, metadata=[*self.metadata, *metadata], timeout=10)

    def every_call(self, shard):
        """By name, a function that makes one call and reads its first answer."""
        def first(method, request, metadata=()):
            answers = self.call(method, request, metadata)
            return next(iter(answers), None) if hasattr(answers, "__next__") else answers
        put = oxia.WriteRequest(shard=shard, puts=[oxia.PutRequest(key="/a", value=b"x")])
        header = [("namespace", "default"), ("shard-id", str(shard))]   # the shard decides, whatever namespace is claimed
        reads = {"Read": oxia.ReadRequest(shard=shard, gets=[oxia.GetRequest(key="/a")]),
                 "List": oxia.ListRequest(shard=shard), "RangeScan": oxia.RangeScanRequest(shard=shard),
                 "GetNotifications": oxia.NotificationsRequest(shard=shard)}
        session = oxia.CreateSessionRequest(shard=shard, session_timeout_ms=5000, client_identity="c")
        calls = {name: (lambda name=name, request=request: first(name, request)) for name, request in reads.items()}
        writes = {"Write": lambda: first("Write", put), "CreateSession": lambda: first("CreateSession", session),
                  "WriteStream": lambda: first("WriteStream", iter([put]), header)}
        return calls, writes


def shard_of(server, namespace):
    with As(server, "root-token") as root:
        answer = next(iter(root.call("GetShardAssignments", oxia.ShardAssignmentsRequest(namespace=namespace))))
        return answer.namespaces[namespace].assignments[0].shard


def code_of(call):
    try:
        call()
        return None
    except grpc.RpcError as error:
        return error.code()


def test_every_call_asks_for_its_role_in_the_namespace_of_its_shard(guarded):
    default, other = shard_of(guarded, "default"), shard_of(guarded, "other")
    expected = {("root-token", default): (None, None), ("root-token", other): (None, None),
                ("writer-token", default): (None, None), ("writer-token", other): (DENIED, DENIED),
                ("reader-token", default): (None, DENIED), ("reader-token", other): (None, None),
                ("", default): (UNKNOWN, UNKNOWN), ("guess", default): (UNKNOWN, UNKNOWN)}
    for (token, shard), (reading, writing) in expected.items():
        with As(guarded, token) as caller:
            reads, writes = caller.every_call(shard)
            for name, call in {**writes, **reads}.items():
                wanted = writing if name in writes else reading
                assert code_of(call) == wanted, f"{token or 'nobody'}: {name} on shard {shard}"


def test_assignments_are_told_to_who_may_read(guarded):
    request = oxia.ShardAssignmentsRequest(namespace="other")
    with As(guarded, "writer-token") as writer:
        assert failure_of(lambda: next(iter(writer.call("GetShardAssignments", request)))).code == DENIED
    with As(guarded, "reader-token") as reader:
        assert next(iter(reader.call("GetShardAssignments", request))).namespaces["other"]


def test_refusals_say_what_to_do(guarded):
    with As(guarded, "") as nobody:
        refused = failure_of(lambda: nobody.call("Write", oxia.WriteRequest(shard=0)))
        assert refused.code == UNKNOWN and "authorization: Bearer" in refused.text
        assert nobody.health.Check(b"", timeout=10).status == 1   # probes need no token
    with As(guarded, "reader-token") as reader:
        refused = failure_of(lambda: reader.call("Write", oxia.WriteRequest(shard=shard_of(guarded, "default"))))
        assert '"reader" has the role read in namespace "default", and Write asks for write' in refused.text


def test_tokens_of_an_issuer(guarded):
    now = int(time.time())
    claims = {"iss": "https://idp", "aud": "skerry", "sub": "anna", "exp": now + 600, "roles": ["default:write"]}
    put = oxia.WriteRequest(shard=shard_of(guarded, "default"), puts=[oxia.PutRequest(key="/jwt", value=b"x")])

    def outcome(token):
        with As(guarded, token) as caller:
            return code_of(lambda: caller.call("Write", put))
    good = jwt(claims)
    assert outcome(good) is None
    assert outcome(jwt({**claims, "roles": ["default:read"]})) == DENIED
    assert outcome(jwt({**claims, "roles": []})) == DENIED
    head, body, signature = good.split(".")
    for bad in (jwt({**claims, "exp": now - 3600}), jwt({**claims, "nbf": now + 3600}), jwt({**claims, "aud": "else"}),
                jwt({**claims, "iss": "https://else"}), jwt(claims, b"another secret of enough bytes......"),
                jwt(claims, algorithm="none"), f"{head}.{body}.", f"{head}.{jwt({**claims, 'sub': 'root'}).split('.')[1]}.{signature}"):
        assert outcome(bad) == UNKNOWN


def test_users_change_while_the_server_runs_and_open_streams_notice(guarded):
    with As(guarded, "reader-token") as reader:
        request = oxia.NotificationsRequest(shard=shard_of(guarded, "default"))
        following = reader.store.GetNotifications(request, metadata=reader.metadata, timeout=60)
        next(following)

        replace(guarded.users, "users: [{name: reader, roles: {default: king}}]")
        eventually(lambda: "new files are unusable" in guarded.output(), "the line about broken users")
        listing = oxia.ListRequest(shard=request.shard)
        assert list(reader.call("List", listing)) == []

        replace(guarded.users, users_file([USERS[0], ("late", "late-token", {"*": "read"})]))
        assert failure_of(lambda: next(following)).code == UNKNOWN
        assert failure_of(lambda: reader.call("List", listing)).code == UNKNOWN
    with As(guarded, "late-token") as late:
        assert list(late.call("List", listing)) == []
    assert "late-token" not in guarded.output() and "reader-token" not in guarded.output()


def test_a_stream_of_the_json_api_ends_when_its_caller_is_gone(guarded):
    shard = shard_of(guarded, "default")
    connection = http.client.HTTPConnection("127.0.0.1", guarded.metrics_port, timeout=60)
    connection.request("POST", f"/api/{CURRENT}/GetNotifications", json.dumps({"shard": shard}),
                       {"Authorization": "Bearer reader-token"})
    stream = connection.getresponse()
    assert stream.status == 200 and stream.readline()   # where it begins
    replace(guarded.users, users_file([("late", "late-token", {"*": "read"})]))
    assert "UNAUTHENTICATED" in stream.read().decode()
    connection.close()


def test_an_issuer_does_not_speak_for_a_user_with_a_token_of_his_own(guarded):
    claims = {"iss": "https://idp", "aud": "skerry", "sub": "root", "exp": int(time.time()) + 600, "roles": ["default:read"]}
    put = oxia.WriteRequest(shard=shard_of(guarded, "default"), puts=[oxia.PutRequest(key="/jwt", value=b"x")])
    with As(guarded, jwt(claims)) as caller:
        assert code_of(lambda: caller.call("Write", put)) == DENIED


def test_the_operators_port_asks_too_but_for_probes(guarded):
    def answer(method, path, token=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", guarded.metrics_port, timeout=10)
        connection.request(method, path, body, {"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        response.read()
        return response.status
    assert [answer("GET", path) for path in ("/healthz", "/readyz", "/metrics", "/log-level")] == [200, 200, 401, 401]
    assert answer("GET", "/metrics", "reader-token") == 200
    assert answer("PUT", "/log-level", "writer-token", "info") == 403
    assert answer("PUT", "/log-level", "root-token", "info") == 200
    write = json.dumps({"shard": "0", "puts": [{"key": "/json", "value": "eA=="}]})
    assert answer("POST", f"/api/{CURRENT}/Write", None, write) == 401
    assert answer("POST", f"/api/{CURRENT}/Write", "reader-token", write) == 403


def test_the_command_line_takes_a_token_or_a_file_with_one(guarded, tmp_path):
    token = tmp_path / "token"
    token.write_text("writer-token\n")
    client = ["client", "-a", guarded.address, "--request-timeout=10s"]
    assert run(*client, "--auth-token-file", token, "put", "/a", "x").status == 0
    assert run(*client, "--token", "reader-token", "get", "/a").out == "x\n"
    refused = run(*client, "--token", "reader-token", "put", "/a", "y")
    assert refused.status == NOT_ALLOWED and "WriteStream asks for write" in refused.err
    refused = run(*client, "get", "/a")
    assert refused.status == NOT_ALLOWED and "--auth-token-file" in refused.err
    token.write_text("two words")
    for group, words in (("client", ["get", "/a"]), ("admin", ["namespace", "list"])):
        refused = run(group, "-a", guarded.address, "--token-file", token, *words)
        assert refused.status == 2 and "no token" in refused.err, refused


def test_a_namespace_is_made_by_administrators_only(guarded):
    admin = ["admin", "--admin-address", guarded.address, "namespace", "list", "--token"]
    assert run(*admin, "root-token").status == 0
    refused = run(*admin, "writer-token")
    assert refused.status == NOT_ALLOWED and "asks for admin" in refused.err


def test_every_command_ends_the_same_way_when_the_server_does_not_let_it(guarded):
    reader = ["--token", "reader-token"]
    store = ["-a", guarded.address, "--request-timeout=10s"]
    for words, says in (
        (["client", *store, *reader, "put", "/a", "x"], "asks for write"),
        (["client", *store, "--token", "wrong", "get", "/a"], "token"),
        (["admin", *store, *reader, "namespace", "list"], "asks for admin"),
        (["perf", *store, *reader, "--duration=1s", "--warm-up=0s", "-r", "50", "-p", "0"], "asks for write"),
        (["perf", *store, "--token", "wrong", "--duration=1s"], "token"),
        (["top", "-m", f"127.0.0.1:{guarded.metrics_port}", "--once", "-i", "100ms"], "token"),
    ):
        refused = run(*words)
        assert refused.status == NOT_ALLOWED and says in refused.err, refused
    assert run("shell", *store, *reader, stdin="list\nput /a x\n").status == NOT_ALLOWED
    assert run("shell", *store, *reader, "--keep-going", stdin="list\nput /a x\n").status == NOT_ALLOWED


def test_a_new_token_comes_with_its_entry_for_the_users_file(guarded):
    made = run("token", "--name", 'new "one"', "--role", "default=write", "--role", "other=read")
    token = made.out.strip()
    assert made.status == 0 and len(token) >= 43 and token not in made.err
    replace(guarded.users, made.err)
    client = ["client", "-a", guarded.address, "--request-timeout=10s", "--token", token]
    eventually(lambda: run(*client, "put", "/a", "x").status == 0, "the new user")
    assert run(*client, "-n", "other", "list").status == 0
    assert run(*client, "-n", "other", "put", "/a", "x").status == NOT_ALLOWED
    assert run("token", "--role", "default=king").status == 2
