# SPDX-License-Identifier: Apache-2.0
"""TLS on both ports: who gets in, who doesn't and what they are told, and certificates that are renewed while the server runs."""

import http.client
import signal
import socket
import ssl

import grpc
import pytest

from support.certificates import Authority, digest, replace
from support.cli import run
from support.protocol import CURRENT, Service, oxia
from support.published import connect
from support.server import eventually


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def tls_server(make_server, authority, tmp_path):
    """A server whose certificate stands in files of this test's own."""
    def make(*arguments, client_auth=False, make=authority):
        certificate, key = make.make("store")
        files = {"cert": tmp_path / "server.pem", "key": tmp_path / "server.key"}
        replace(files["cert"], certificate.read_bytes())
        replace(files["key"], key.read_bytes())
        flags = [f"--{port}-{kind}-file={path}" for port in ("tls", "metrics-tls") for kind, path in files.items()]
        if client_auth:
            flags += ["--tls-client-auth", f"--tls-trusted-ca-file={authority.certificate}"]
        server = make_server(shards=1, arguments=[*flags, "--security-reload-interval=100ms", *arguments], start=False)
        server.files = files
        server.launch()
        eventually(lambda: "Started Grpc server" in server.output() or server.process.poll() is not None, "the start")
        assert server.running(), server.output()
        return server
    return make


def client(server, *words, authority=None, certificate=None, extra=()):
    flags = [*extra]
    if authority:
        flags += ["--tls-trusted-ca-file", authority.certificate]
    if certificate:
        flags += ["--tls-cert-file", certificate[0], "--tls-key-file", certificate[1]]
    return run("client", "-a", f"tls://localhost:{server.port}", "--request-timeout=10s", *flags, *words)


def metrics(server, authority, path="/healthz"):
    context = ssl.create_default_context(cafile=str(authority.certificate))
    connection = http.client.HTTPSConnection("localhost", server.metrics_port, context=context, timeout=10)
    connection.request("GET", path)
    return connection.getresponse()


def test_records_travel_by_tls(tls_server, authority):
    server = tls_server()
    assert client(server, "put", "/a", "hello", authority=authority).status == 0
    assert client(server, "get", "/a", authority=authority).out == "hello\n"
    assert run("health", "--port", server.port, "--tls-trusted-ca-file", authority.certificate).out == "SERVING\n"
    assert metrics(server, authority).read() == b"ok\n"


def test_grpc_s_own_client_gets_in(tls_server, authority):
    server = tls_server()
    credentials = grpc.ssl_channel_credentials(authority.certificate.read_bytes())
    with grpc.secure_channel(f"localhost:{server.port}", credentials) as channel:
        store = Service(channel, CURRENT)
        value = b"v" * 3_000_000
        request = oxia.WriteRequest(shard=0, puts=[oxia.PutRequest(key="/large", value=value)])
        assert store.Write(request, timeout=10).puts[0].status == 0
        read = oxia.ReadRequest(shard=0, gets=[oxia.GetRequest(key="/large", include_value=True)])
        assert next(iter(store.Read(read, timeout=10))).gets[0].value == value


def test_the_published_client_gets_in_with_tls_and_a_token(tls_server, authority, tmp_path, monkeypatch):
    users = tmp_path / "users.yaml"
    replace(users, f"users: [{{name: app, token-sha256: {digest('app-token')}, roles: {{default: write}}}}]")
    server = tls_server(f"--auth-users-file={users}")
    credentials = grpc.composite_channel_credentials(grpc.ssl_channel_credentials(authority.certificate.read_bytes()),
                                                     grpc.access_token_call_credentials("app-token"))
    # It knows plain connections only; everything above the channel is its own.
    monkeypatch.setattr(grpc, "insecure_channel", lambda address, *rest, **named: grpc.secure_channel(address, credentials))
    with connect(f"localhost:{server.port}") as client:
        client.put("/published", "hello")
        assert client.get("/published")[1] == b"hello"


def test_a_server_of_an_unknown_authority_is_refused(tls_server, tmp_path):
    other = Authority(tmp_path / "other", "other CA")
    refused = client(tls_server(), "get", "/a", authority=other)
    assert refused.status != 0 and "--tls-trusted-ca-file" in refused.err
    refused = client(tls_server(), "get", "/a")   # the system's roots
    assert refused.status != 0 and "signed by nobody who is trusted" in refused.err


def test_a_server_with_another_name_is_refused(tls_server, authority):
    refused = client(tls_server(), "get", "/a", authority=authority, extra=["--tls-server-name", "elsewhere"])
    assert refused.status != 0 and "is not for elsewhere" in refused.err


def test_a_client_certificate_can_be_required(tls_server, authority, tmp_path):
    server = tls_server(client_auth=True)
    refused = client(server, "get", "/a", authority=authority)
    assert refused.status != 0 and "wants a client certificate" in refused.err
    stranger = Authority(tmp_path / "other", "other CA").make("anna")
    assert client(server, "get", "/a", authority=authority, certificate=stranger).status != 0
    expired = authority.make("anna", days=-1)
    refused = client(server, "get", "/a", authority=authority, certificate=expired)
    assert refused.status != 0
    assert client(server, "put", "/a", "x", authority=authority, certificate=authority.make("anna")).status == 0
    eventually(lambda: "a connection was turned away" in server.output(), "the line in the log")


def test_who_speaks_plainly_is_told_so(tls_server, authority):
    server = tls_server()
    plain = run("client", "-a", server.address, "--request-timeout=10s", "get", "/a")
    assert plain.status != 0 and "takes only connections with TLS" in plain.err
    for port in (server.port, server.metrics_port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert (answer.status, b"https://" in answer.read()) == (400, True)


def test_a_plain_server_is_recognised_by_who_speaks_tls(server, authority):
    refused = client(server, "get", "/a", authority=authority)
    assert refused.status != 0 and "does not speak TLS" in refused.err


def test_a_certificate_is_renewed_while_the_server_runs(tls_server, authority, tmp_path):
    server = tls_server()
    renewed = Authority(tmp_path / "renewed", "renewed CA")
    assert client(server, "put", "/a", "x", authority=authority).status == 0

    replace(server.files["cert"], "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    eventually(lambda: "new files are unusable" in server.output(), "the line about a broken certificate")
    assert client(server, "get", "/a", authority=authority).out == "x\n"

    certificate, key = renewed.make("store")
    replace(server.files["key"], key.read_bytes())
    replace(server.files["cert"], certificate.read_bytes())
    eventually(lambda: client(server, "get", "/a", authority=renewed).out == "x\n", "the new certificate")
    assert client(server, "get", "/a", authority=authority).status != 0
    assert metrics(server, renewed).status == 200


def test_a_sighup_has_the_files_read_at_once(tls_server, authority, tmp_path):
    server = tls_server("--security-reload-interval=1h")
    renewed = Authority(tmp_path / "renewed", "renewed CA")
    certificate, key = renewed.make("store")
    replace(server.files["key"], key.read_bytes())
    replace(server.files["cert"], certificate.read_bytes())
    assert client(server, "put", "/a", "x", authority=authority).status == 0
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: client(server, "get", "/a", authority=renewed).out == "x\n", "the new certificate")


def test_older_versions_are_refused(tls_server, authority):
    server = tls_server("--tls-min-version=1.3")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("localhost", server.port), timeout=10) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("localhost", server.port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secured:
            assert secured.selected_alpn_protocol() == "h2"


def test_a_start_with_unusable_files_says_which(make_server, authority):
    certificate, key = authority.make("store")
    _, other_key = authority.make("store")
    for flags, words in (((certificate, other_key), "not the key of the certificate"),
                         ((certificate, "/absent"), "cannot read /absent"),
                         ((certificate, None), "needs both cert-file and key-file")):
        arguments = [f"--tls-cert-file={flags[0]}"] + ([f"--tls-key-file={flags[1]}"] if flags[1] else [])
        server = make_server(arguments=arguments, start=False)
        server.launch()
        assert server.process.wait(20) != 0
        assert words in server.output()
