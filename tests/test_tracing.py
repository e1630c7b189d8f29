# SPDX-License-Identifier: Apache-2.0
"""Spans as a collector gets them: OTLP over HTTP, from a server that is told where to send them."""

import http.server
import json
import threading

import pytest

from support.json_api import call, request
from support.protocol import oxia
from support.server import eventually, free_port

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = [("traceparent", f"00-{TRACE}-{SPAN}-01"), ("tracestate", "vendor=1")]


class Collector:
    """Keeps what it is sent; answers with `status`."""

    def __init__(self):
        self.spans, self.requests, self.status, self.resource = [], [], 200, None
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append((self.path, dict(self.headers)))
                if collector.status == 200:
                    for resource in json.loads(body)["resourceSpans"]:
                        collector.resource = attributes(resource["resource"])
                        for scope in resource["scopeSpans"]:
                            collector.spans.extend(scope["spans"])
                self.send_response(collector.status)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def named(self, name):
        return [span for span in self.spans if span["name"].endswith(name)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def attributes(of):
    return {each["key"]: each["value"].get("stringValue", each["value"].get("intValue")) for each in of["attributes"]}


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


def write(store, metadata=(), shard=0):
    return store.calls.Write(oxia.WriteRequest(shard=shard, puts=[oxia.PutRequest(key="/a", value=b"x")]), timeout=20, metadata=metadata)


def metric(server, name):
    return sum(float(line.split()[-1]) for line in request(server, "/metrics").body.splitlines() if line.startswith(name))


def test_a_write_is_a_part_of_its_caller_s_trace_with_its_stages(make_server, collector):
    server = make_server(shards=2, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "my-store",
                                                "OTEL_EXPORTER_OTLP_HEADERS": "x-key=secret%21",
                                                "SKERRY_TRACING_SAMPLE_RATIO": "0"})
    with server.connect() as store:
        for shard in (0, 1):   # one of them is another core's
            write(store, SAMPLED, shard)
        write(store)           # without a trace, and the ratio is 0
    eventually(lambda: len(collector.named("/Write")) == 2 and len(collector.named("apply")) == 2, "the spans of the writes")
    for span in collector.named("/Write"):
        assert (span["traceId"], span["parentSpanId"], span["traceState"], span["kind"]) == (TRACE, SPAN, "vendor=1", 2)
        told = attributes(span)
        assert told["rpc.method"] == "Write" and told["rpc.grpc.status_code"] == "0" and told["network.peer.address"] == "127.0.0.1"
        stages = {part["name"]: part for part in collector.spans if part.get("parentSpanId") == span["spanId"]}
        assert set(stages) == {"evaluate", "log", "apply"}
        order = [int(span["startTimeUnixNano"]), *(int(stages[name][end]) for name in ("evaluate", "log", "apply")
                                                   for end in ("startTimeUnixNano", "endTimeUnixNano")), int(span["endTimeUnixNano"])]
        assert order == sorted(order)
    assert collector.resource["service.name"] == "my-store"
    path, headers = collector.requests[0]
    assert path == "/v1/traces" and headers["x-key"] == "secret!" and headers["Content-Type"] == "application/json"
    assert len(collector.named("/Write")) == 2


def test_a_stream_of_writes_is_a_span_with_the_stages_of_some_of_them(make_server, collector):
    server = make_server(shards=2, arguments=["--tracing-endpoint", collector.url])
    requests = [oxia.WriteRequest(shard=1, puts=[oxia.PutRequest(key=f"/{n}", value=b"x")]) for n in range(20)]
    with server.connect() as store:
        metadata = [("namespace", "default"), ("shard-id", "1"), *SAMPLED]
        assert len(list(store.calls.WriteStream(iter(requests), metadata=metadata, timeout=20))) == 20
    (span,) = eventually(lambda: collector.named("WriteStream"), "the span of the stream")
    parts = eventually(lambda: [part for part in collector.spans if part.get("parentSpanId") == span["spanId"]], "its parts")
    assert {part["name"] for part in parts} == {"evaluate", "log", "apply"} and len(parts) <= 60


def test_traces_begin_here_by_the_ratio_and_json_calls_are_traced_too(make_server, collector):
    server = make_server(shards=1, arguments=["--tracing-endpoint", collector.url, "--tracing-sample-ratio", "1"])
    assert call(server, "Write", {"shard": 0, "puts": [{"key": "/a"}]}).status == 200
    assert call(server, "KeepAlive", {"sessionId": 5}).status != 200
    eventually(lambda: collector.named("OxiaClient/Write") and collector.named("KeepAlive"), "the spans")
    (span,) = collector.named("OxiaClient/Write")
    assert "parentSpanId" not in span and span["traceId"] != TRACE
    assert attributes(collector.named("KeepAlive")[0])["rpc.grpc.status_code"] != "0"


def test_what_is_left_is_sent_when_the_process_stops(make_server, collector):
    server = make_server(shards=1, arguments=["--tracing-endpoint", collector.url])
    with server.connect() as store:
        write(store, SAMPLED)
    assert server.stop() == 0
    assert collector.named("/Write")


def test_a_collector_that_is_away_costs_spans_and_nothing_else(make_server):
    server = make_server(shards=1, arguments=["--tracing-endpoint", f"http://127.0.0.1:{free_port()}", "--tracing-sample-ratio", "1"])
    with server.connect() as store:
        for _ in range(2000):   # four spans each: more than the queue and what is being sent hold together
            write(store)
        assert store.get("/a").value == b"x"
    assert eventually(lambda: metric(server, 'skerry_trace_spans_dropped_total{core="0",because="full"'), "spans that are dropped")
    eventually(lambda: "the collector does not take spans" in server.output(), "the line that says so")
    assert server.stop() == 0


def test_a_collector_that_comes_back_gets_what_was_kept_and_a_refusal_is_final(make_server, collector):
    collector.status = 503
    server = make_server(shards=1, arguments=["--tracing-endpoint", collector.url])
    with server.connect() as store:
        write(store, SAMPLED)
        eventually(lambda: collector.requests, "a first try")
        collector.status = 200
        eventually(lambda: collector.named("/Write"), "the spans that were kept")
        collector.status = 400
        write(store, SAMPLED)
        eventually(lambda: metric(server, 'skerry_trace_spans_dropped_total{core="0",because="refused"') >= 1, "spans that are refused")


def test_nothing_is_traced_unless_asked(make_server):
    server = make_server(shards=1)
    with server.connect() as store:
        write(store, SAMPLED)
    assert "skerry_trace" not in request(server, "/metrics").body


@pytest.mark.parametrize("environment, word", [({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
                                               ({"SKERRY_TRACING_ENDPOINT": "ftp://x"}, "tracing.endpoint"),
                                               ({"SKERRY_TRACING_SAMPLE_RATIO": "2"}, "tracing.sample-ratio")])
def test_settings_that_cannot_be_are_refused(make_server, environment, word):
    server = make_server(shards=1, start=False, environment=environment)
    server.launch()
    assert server.process.wait(20) not in (0, None) and word in server.output() and not server.data.exists()
