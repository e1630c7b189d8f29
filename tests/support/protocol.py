# SPDX-License-Identifier: Apache-2.0
"""The store's wire protocol for tests: message classes read from proto/, and a client that hides nothing of it.

Messages are made from the .proto files at import, so no generated code lies about. `Store` speaks to one shard per call, keeps
no state and retries nothing: what the server answers is what the test sees.
"""

import pathlib
import subprocess
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = pathlib.Path(__file__).resolve().parents[2]
CURRENT = "io.oxia.proto.v1.OxiaClient"
LEGACY = "io.streamnative.oxia.proto.OxiaClient"
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
             ("grpc.use_local_subchannel_pool", 1)]


def _load():
    files = ["oxia/client.proto", "skerry/store/v1/store.proto", "health/health.proto", "google/rpc/status.proto"]
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["protoc", f"--proto_path={ROOT / 'proto'}", "--include_imports", f"--descriptor_set_out={out.name}",
                        *files], check=True)
        described = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.Add(file)
    return pool, message_factory.GetMessageClassesForFiles(files, pool)


_pool, _classes = _load()


class _Package:
    def __init__(self, prefix):
        for name, cls in _classes.items():
            if name.startswith(prefix) and "." not in name[len(prefix):]:
                setattr(self, name[len(prefix):], cls)


oxia = _Package("io.oxia.proto.v1.")
health = _Package("grpc.health.v1.")
v1 = _Package("skerry.store.v1.")
rpc = _Package("google.rpc.")

OK, KEY_NOT_FOUND, UNEXPECTED_VERSION_ID, SESSION_DOES_NOT_EXIST = range(4)
EQUAL, FLOOR, CEILING, LOWER, HIGHER = range(5)
CREATED, MODIFIED, DELETED, RANGE_DELETED = range(4)


class Service:
    """One attribute per method of a service, made from its description."""

    def __init__(self, channel, described_as, called=None):
        for method in _pool.FindServiceByName(described_as).methods:
            shape = ("stream" if method.client_streaming else "unary") + "_" + ("stream" if method.server_streaming else "unary")
            make = getattr(channel, shape)
            setattr(self, method.name, make(f"/{called or described_as}/{method.name}",
                                            request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
                                            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString))


class Failure:
    """What a failed call said: code, text, and the ErrorInfo in its details."""

    def __init__(self, error):
        self.code = error.code()
        self.text = error.details()
        self.reason, self.domain, self.metadata = None, None, {}
        for name, value in error.trailing_metadata() or ():
            if name == "grpc-status-details-bin":
                for detail in rpc.Status.FromString(value).details:
                    info = rpc.ErrorInfo()
                    if detail.Unpack(info):
                        self.reason, self.domain, self.metadata = info.reason, info.domain, dict(info.metadata)

    def __repr__(self):
        return f"{self.code.name} {self.reason}: {self.text}"


def failure_of(call):
    """The Failure that `call()` ends with; streams are read to their end. A call that succeeds is a failed test."""
    try:
        result = call()
        if hasattr(result, "__next__"):
            result = list(result)
    except grpc.RpcError as error:
        return Failure(error)
    raise AssertionError(f"the call was meant to fail and answered {result}")


class Store:
    """One connection. Every method takes the shard first where the protocol asks for one; answers are the protocol's messages."""

    def __init__(self, address, service=CURRENT, timeout=30, options=()):
        self.channel = grpc.insecure_channel(address, options=[*UNLIMITED, *options])
        self.calls = Service(self.channel, CURRENT, service)
        self.health = Service(self.channel, "grpc.health.v1.Health")
        self.v1 = Service(self.channel, "skerry.store.v1.Store")
        self.timeout = timeout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def close(self):
        self.channel.close()

    def write(self, shard, puts=(), deletes=(), delete_ranges=()):
        return self.calls.Write(oxia.WriteRequest(shard=shard, puts=puts, deletes=deletes, delete_ranges=delete_ranges),
                                timeout=self.timeout)

    def put(self, key, value=b"", shard=0, indexes=None, **fields):
        return self.write(shard, puts=[put(key, value, indexes, **fields)]).puts[0]

    def delete(self, key, shard=0, **fields):
        return self.write(shard, deletes=[oxia.DeleteRequest(key=key, **fields)]).deletes[0].status

    def delete_range(self, start, end, shard=0):
        request = oxia.DeleteRangeRequest(start_inclusive=start, end_exclusive=end)
        return self.write(shard, delete_ranges=[request]).delete_ranges[0].status

    def read(self, shard, gets):
        """All answers, whatever chunks they came in."""
        replies = self.calls.Read(oxia.ReadRequest(shard=shard, gets=gets), timeout=self.timeout)
        return [get for reply in replies for get in reply.gets]

    def get(self, key, comparison=EQUAL, shard=0, value=True, index=None):
        return self.read(shard, [oxia.GetRequest(key=key, comparison_type=comparison, include_value=value,
                                                 secondary_index_name=index)])[0]

    def list(self, start="", end="", shard=0, index=None, internal=False):
        replies = self.calls.List(oxia.ListRequest(shard=shard, start_inclusive=start, end_exclusive=end,
                                                   secondary_index_name=index, include_internal_keys=internal),
                                  timeout=self.timeout)
        return [key for reply in replies for key in reply.keys]

    def scan(self, start="", end="", shard=0, index=None, internal=False):
        replies = self.calls.RangeScan(oxia.RangeScanRequest(shard=shard, start_inclusive=start, end_exclusive=end,
                                                             secondary_index_name=index, include_internal_keys=internal),
                                       timeout=self.timeout)
        return [record for reply in replies for record in reply.records]

    def create_session(self, timeout_ms=10_000, identity="tests", shard=0):
        request = oxia.CreateSessionRequest(shard=shard, session_timeout_ms=timeout_ms, client_identity=identity)
        return self.calls.CreateSession(request, timeout=self.timeout).session_id

    def keep_alive(self, session, shard=0):
        return self.calls.KeepAlive(oxia.SessionHeartbeat(shard=shard, session_id=session), timeout=self.timeout)

    def close_session(self, session, shard=0):
        return self.calls.CloseSession(oxia.CloseSessionRequest(shard=shard, session_id=session), timeout=self.timeout)

    def notifications(self, shard=0, after=None):
        return self.calls.GetNotifications(oxia.NotificationsRequest(shard=shard, start_offset_exclusive=after),
                                           timeout=self.timeout)

    def sequence_updates(self, key, shard=0):
        return self.calls.GetSequenceUpdates(oxia.GetSequenceUpdatesRequest(shard=shard, key=key), timeout=self.timeout)

    def assignments(self, namespace="default"):
        return self.calls.GetShardAssignments(oxia.ShardAssignmentsRequest(namespace=namespace), timeout=self.timeout)

    def write_stream(self, requests, namespace="default", shard="0"):
        metadata = [(name, value) for name, value in (("namespace", namespace), ("shard-id", shard)) if value is not None]
        return self.calls.WriteStream(iter(requests), metadata=metadata, timeout=self.timeout)

    def check_health(self, service=""):
        return self.health.Check(health.HealthCheckRequest(service=service), timeout=self.timeout).status


def put(key, value=b"", indexes=None, **fields):
    request = oxia.PutRequest(key=key, value=value if isinstance(value, bytes) else value.encode(), **fields)
    for name, secondary in indexes or ():
        request.secondary_indexes.add(index_name=name, secondary_key=secondary)
    return request
