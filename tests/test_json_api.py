# SPDX-License-Identifier: Apache-2.0
"""Every method as JSON over HTTP/1.1, on the metrics port."""

import base64
import http.client
import json

import pytest

from support.json_api import call, request
from support.protocol import OK
from support.server import eventually, free_port


def b64(text):
    return base64.b64encode(text.encode()).decode()


def put(server, key, value, shard=0):
    return call(server, "Write", {"shard": shard, "puts": [{"key": key, "value": b64(value)}]})


def test_what_json_writes_grpc_reads_and_the_other_way_round(server, store):
    answer = put(server, "/json", "höi")
    assert answer.status == 200 and answer.json["puts"][0]["status"] == "OK"
    assert answer.headers["Content-Type"] == "application/json"
    assert store.get("/json").value == "höi".encode()
    assert store.put("/grpc", b"hello").status == OK
    (line,) = call(server, "Read", {"shard": 0, "gets": [{"key": "/grpc", "includeValue": True}]}).lines
    assert base64.b64decode(line["gets"][0]["value"]) == b"hello"


def test_every_shard_of_every_core_is_reached(make_server):
    server = make_server(shards=3)
    for shard in range(3):
        assert put(server, "/a", str(shard), shard).status == 200
    with server.connect() as store:
        assert [store.get("/a", shard=shard).value for shard in range(3)] == [b"0", b"1", b"2"]
    keys = [call(server, "List", {"shard": shard}).lines for shard in range(3)]
    assert keys == [[{"keys": ["/a"]}]] * 3


def test_streams_go_on_while_they_are_read(server):
    put(server, "/before", "x")
    connection = http.client.HTTPConnection("127.0.0.1", server.metrics_port, timeout=20)
    connection.request("POST", "/api/io.oxia.proto.v1.OxiaClient/GetNotifications", '{"shard": 0}')
    stream = connection.getresponse()
    assert stream.status == 200 and stream.getheader("Content-Type") == "application/x-ndjson"
    stream.readline()   # where it begins
    for n in range(3):
        put(server, f"/k{n}", "x")
        assert [each["key"] for each in json.loads(stream.readline())["notifications"]] == [f"/k{n}"]
    connection.close()
    assert put(server, "/after", "x").status == 200


def test_a_stream_of_writes_takes_its_metadata_from_headers(server, store):
    requests = [{"shard": 0, "puts": [{"key": f"/s{n}", "value": b64(str(n))}]} for n in range(5)]
    answer = call(server, "WriteStream", requests, headers={"namespace": "default", "shard-id": "0"})
    assert answer.status == 200 and len(answer.lines) == 5
    assert store.list() == [f"/s{n}" for n in range(5)]
    assert call(server, "WriteStream", requests[:1]).json["error"]["message"]   # without


def test_assignments_name_the_public_port(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.metrics_port, timeout=20)
    connection.request("POST", "/api/io.oxia.proto.v1.OxiaClient/GetShardAssignments", '{"namespace": "default"}')
    first = json.loads(connection.getresponse().readline())
    assert first["namespaces"]["default"]["assignments"][0]["leader"] == server.address
    connection.close()


@pytest.mark.parametrize("body, word", [("{", "does not end"), ("[1]", "byte 1"), ('{"nonsense": 1}', "nonsense"), ('{"shard": "x"}', "shard"),
                                        ("{}{}", "one message"), ('{"puts": [{"value": "%%"}]}', "value"), ("\xff\xfe", "byte 0")])
def test_a_bad_body_is_refused_with_the_reason_and_a_remedy(server, body, word):
    answer = call(server, "Write", body)
    error = answer.json["error"]
    assert answer.status == 400 and error["status"] == "INVALID_ARGUMENT" and error["code"] == 3
    assert word in error["message"] and error["remedy"]


def test_errors_carry_the_reason_of_the_protocol(server):
    error = call(server, "KeepAlive", {"shard": 0, "sessionId": 77}).json["error"]
    assert error["reason"] and error["domain"] and error["remedy"] and error["message"], error


def test_bodies_have_a_limit(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.metrics_port, timeout=20)
    connection.putrequest("POST", "/api/io.oxia.proto.v1.OxiaClient/Write")
    connection.putheader("Content-Length", str((1 << 20) + 1))
    connection.endheaders()   # refused before the body is sent
    answer = connection.getresponse()
    assert answer.status == 413 and str(1 << 20) in answer.read().decode()


def test_unknown_paths_name_what_was_meant(server):
    answer = call(server, "Wrote")
    assert answer.status == 404 and "OxiaClient/Write" in answer.json["error"]["message"]
    assert request(server, "/api/none").status == 404
    assert request(server, "/api/io.oxia.proto.v1.OxiaClient/Write", method="PUT", body="{}").status == 405


def test_pages_in_a_browser_may_not_call(server, store):
    answer = call(server, "Write", {"puts": [{"key": "/evil"}]}, headers={"Origin": "http://evil.example"})
    assert answer.status == 403 and store.list() == []


def test_it_lists_every_service_and_shows_how_to_call(server):
    listed = {service["service"]: [method["method"] for method in service["methods"]] for service in request(server, "/api").json["services"]}
    assert "Write" in listed["io.oxia.proto.v1.OxiaClient"] and "Write" in listed["io.streamnative.oxia.proto.OxiaClient"]
    assert listed["grpc.health.v1.Health"] == ["Check", "Watch"]
    shown = request(server, "/api/io.oxia.proto.v1.OxiaClient/Write").json
    assert shown["exampleRequest"]["puts"][0]["key"] == "" and shown["path"].startswith("/api/")
    example = call(server, "Write", {**shown["exampleRequest"], "puts": [], "deletes": [], "deleteRanges": []})
    assert example.status == 200


def test_connections_and_methods_are_counted(server):
    with server.connect() as store:
        for n in range(5):
            store.put(f"/k{n}", b"x" * 1000)
        shown = request(server, "/api/connections").json
        (own,) = [each for each in shown["connections"] if each["messagesSent"] >= 5]
        assert own["bytesReceived"] > 5000 and own["streams"] >= 5 and own["peer"].startswith("127.0.0.1:")
        assert shown["open"] >= 1 and shown["bytesReceived"] >= own["bytesReceived"] and set(own["stalls"]) == {
            "stream", "connection", "socket", "client"}
        assert request(server, "/api/connections?limit=0").json["connections"] == []
        assert request(server, "/api/connections?limit=x").status == 400
    methods = {each["method"]: each for each in request(server, "/api/methods").json["methods"]}
    assert methods["io.oxia.proto.v1.OxiaClient/Write"]["messagesReceived"] == 5
    eventually(lambda: request(server, "/api/connections").json["open"] == 0, "the end of the connection")
    metrics = request(server, "/metrics").body
    assert 'grpc_server_msg_received_total{core="0",grpc_service="io.oxia.proto.v1.OxiaClient",grpc_method="Write"} 5' in metrics
    assert "skerry_rpc_bytes_received_total{" in metrics and 'skerry_rpc_stalls_total{core="0",of="stream"}' in metrics


def test_it_can_be_switched_off(make_server):
    server = make_server(shards=1, arguments=["--json-api", "off"])
    assert put(server, "/a", "x").status == 404 and request(server, "/metrics").status == 200


@pytest.mark.parametrize("arguments, status", [([], 404), (["--json-api", "on"], 200)])
def test_a_port_that_others_can_reach_has_none_unless_asked(make_server, arguments, status):
    server = make_server(shards=1, arguments=["--insecure", *arguments], start=False)
    server.metrics_port = free_port()
    original = server.command()
    server.command = lambda: [word.replace(f"127.0.0.1:{server.metrics_port}", f"0.0.0.0:{server.metrics_port}") for word in original]
    server.start()
    assert put(server, "/a", "x").status == status
