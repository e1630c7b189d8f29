# SPDX-License-Identifier: Apache-2.0
"""The words of the command line: what they print, what they refuse, and with which exit status."""

import json
import signal
import subprocess
import threading

import pytest

from support.cli import Client, run
from support.protocol import ROOT
from support.server import eventually, free_port

# Scripts branch on these.
FAILED, USAGE, NOT_FOUND, VERSION_CONFLICT, UNAVAILABLE = 1, 2, 3, 4, 5
META = {"key", "version_id", "created_timestamp", "modified_timestamp", "modifications_count", "ephemeral", "session_id", "client_identity"}


@pytest.fixture(params=[1, 4])
def client(request, make_server):
    """The command line against one and several shards."""
    return Client(make_server(shards=request.param).address)


@pytest.fixture
def lone(server):
    return Client(server.address)


def put(client, *words, **options):
    outcome = client("put", *words, **options)
    assert outcome.status == 0, outcome
    return outcome.json


# --- put, get, delete


def test_put_prints_the_version_as_one_line_of_json(lone):
    outcome = lone("put", "/a", "value")
    assert outcome.status == 0 and len(outcome.lines) == 1 and outcome.err == ""
    answer = outcome.json
    assert set(answer) >= META - {"session_id", "client_identity"}
    assert (answer["key"], answer["version_id"], answer["modifications_count"], answer["ephemeral"]) == ("/a", 0, 0, False)
    assert put(lone, "/a", "again")["modifications_count"] == 1


def test_get_prints_the_value_and_with_v_the_version(client):
    put(client, "/a", "value")
    assert client("get", "/a").out.rstrip("\n") == "value"
    shown = client("get", "/a", "-v").out
    value, meta = shown.split("---")
    assert value.strip() == "value"
    assert json.loads(meta)["key"] == "/a" and json.loads(meta)["version_id"] == 0


def test_values_come_from_stdin_and_may_be_any_bytes(client):
    content = bytes(range(256)) * 10
    assert client("put", "/a", "-c", stdin=content, text=False).status == 0
    assert client("get", "/a", text=False).out.rstrip(b"\n") == content.rstrip(b"\n")


def test_a_value_is_had_byte_for_byte(lone, tmp_path):
    for content in (b"a", b"a\n", b"", bytes(range(256))):
        lone("put", "/a", "-c", stdin=content, text=False)
        assert lone("get", "/a", "--raw", text=False).out == content
        assert lone("get", "/a", "--output-file", tmp_path / "value", text=False).out == b""
        assert (tmp_path / "value").read_bytes() == content
    assert lone("get", "/nothing", "--output-file", tmp_path / "none").status == NOT_FOUND and not (tmp_path / "none").exists()
    assert lone("get", "/a", "--output-file", tmp_path / "no" / "folder").status == FAILED
    for flags in (("--raw", "--hex"), ("--raw", "-v"), ("--raw", "-o", "json"), ("--output-file", tmp_path / "x", "--hex")):
        assert lone("get", "/a", *flags).status == USAGE, flags


def test_variables_stand_in_for_flags_that_are_not_given(server, tmp_path):
    run("admin", "-a", server.address, "namespace", "create", "logs")
    here = {"SKERRY_CLIENT_ADDRESS": server.address, "SKERRY_ADMIN_ADDRESS": server.address, "SKERRY_CLIENT_NAMESPACE": "logs"}
    assert run("client", "put", "/a", "x", environment=here).status == 0
    assert run("client", "-a", server.address, "-n", "logs", "get", "/a").out == "x\n"
    assert run("client", "-n", "default", "get", "/a", environment=here).status == NOT_FOUND
    assert run("admin", "namespace", "list", "-o", "name", environment=here).lines == ["default", "logs"]
    refused = run("client", "get", "/a", environment={**here, "SKERRY_CLIENT_TOKEN_FILE": str(tmp_path / "missing")})
    assert refused.status == USAGE and "missing" in refused.err
    assert run("client", "--token", "x", "get", "/a", environment={**here, "SKERRY_CLIENT_TOKEN_FILE": str(tmp_path / "missing")}).status == 0


def test_get_shows_bytes_as_hex_on_request(lone):
    lone("put", "/a", "-c", stdin=b"\x00\xffA", text=False)
    shown = lone("get", "/a", "--hex").out.lower()
    assert "00" in shown and "ff" in shown and "41" in shown


def test_a_missing_key_is_an_error(client):
    outcome = client("get", "/nothing")
    assert outcome.status == NOT_FOUND and outcome.out == "" and outcome.err.strip() == "Error: key not found"


def test_versions_are_expected_with_e(lone):
    assert put(lone, "/a", "0")["version_id"] == 0
    assert put(lone, "/a", "1", "-e", "0")["version_id"] == 1
    for words in (("put", "/a", "2", "-e", "0"), ("put", "/a", "2", "-e", "-1"), ("delete", "/a", "-e", "0"), ("put", "/b", "x", "-e", "5")):
        outcome = lone(*words)
        assert outcome.status == VERSION_CONFLICT and outcome.err.strip() == "Error: unexpected version id", outcome
    assert lone("get", "/a").out.rstrip("\n") == "1"
    assert lone("delete", "/a", "-e", "1").status == 0
    assert lone("get", "/a").status != 0
    assert put(lone, "/c", "x", "-e", "-1")["version_id"] == 2


def test_delete_of_a_missing_key_is_an_error(client):
    outcome = client("delete", "/nothing")
    assert outcome.status == NOT_FOUND and outcome.err.strip() == "Error: key not found"


def test_long_names_of_the_flags_mean_the_same(lone):
    put(lone, "/a", "1")
    assert put(lone, "/a", "2", "--expected-version", "0")["version_id"] == 1
    assert lone("get", "/a", "--include-version").status == 0


@pytest.mark.parametrize("comparison, key, found", [("equal", "/b", "b"), ("floor", "/c", "b"), ("ceiling", "/c", "d"), ("lower", "/b", "a"),
                                                    ("higher", "/b", "d"), ("lower", "/a", None), ("higher", "/d", None)])
def test_get_by_comparison(client, comparison, key, found):
    for name in "abd":
        put(client, f"/{name}", name)
    outcome = client("get", key, "-t", comparison)
    if found is None:
        assert outcome.status == NOT_FOUND and "key not found" in outcome.err
    else:
        assert outcome.status == 0 and outcome.out.rstrip("\n").endswith(found)


# --- ranges


def test_list_prints_a_key_a_line_in_order(client):
    for n in (3, 1, 2, 4):
        put(client, f"/k/{n}", "x")
    assert client("list").lines == [f"/k/{n}" for n in (1, 2, 3, 4)]
    assert client("list", "-s", "/k/2", "-e", "/k/4").lines == ["/k/2", "/k/3"]
    assert client("list", "-s", "/x/", "-e", "/x//").lines == []


def test_the_keys_of_several_shards_are_merged_in_the_order_of_the_store(client):
    for key in ("/a/b/c", "/z/a", "/z", "/a/z", "b"):
        put(client, key, "x")
    assert client("list").lines == ["b", "/z", "/a/z", "/z/a", "/a/b/c"]


TREE = ["/a", "/ab", "/b", "/a/x", "/a/y", "/a/x/1", "/b/x", "/b/x/1", "/a/x/1/deep", "a", "/a//"]


@pytest.mark.parametrize("order", ["hierarchical", "natural"])
@pytest.mark.parametrize("shards", [1, 4])
def test_a_prefix_is_found_at_every_depth_in_the_order_of_the_keys(make_server, order, shards):
    client = Client(make_server(shards=shards, arguments=["--key-sorting", order]).address)
    client("put", "--json-lines", stdin="".join(json.dumps({"key": key, "value": key}) + "\n" for key in TREE))
    sorting = ("--key-sorting", order)
    everything = client("list", *sorting).lines
    assert sorted(everything) == sorted(TREE)
    for prefix in ["/", "/a", "/a/", "/a/x", "/a//", "/b", "a", "", "nothing"]:
        matching = [key for key in everything if key.startswith(prefix)]
        assert client("list", "--prefix", prefix, *sorting).lines == matching, prefix
        assert client("list", "--prefix", prefix, "--reverse", *sorting).lines == matching[::-1], prefix
        assert client("list", "--prefix", prefix, "--limit", "2", *sorting).lines == matching[:2], prefix
        shown = client("range-scan", "--prefix", prefix, "-o", "json", *sorting)
        assert [json.loads(line)["key"] for line in shown.lines] == matching, prefix


@pytest.mark.parametrize("words", [("list",), ("range-scan",), ("list", "--prefix", "/"), ("get", "/b", "-t", "floor"), ("get", "/b", "-t", "higher"),
                                   ("get", "/b", "-t", "ceiling", "--index", "i")], ids=" ".join)
def test_what_several_shards_answer_is_not_merged_in_another_order_than_theirs(make_server, words):
    server = make_server(shards=4, arguments=["--key-sorting", "natural"])
    client = Client(server.address)
    put(client, "/a", "1", "--index", "i=/a")
    refused = client(*words)
    assert refused.status == USAGE and "--key-sorting natural" in refused.err, refused
    assert client(*words, "--key-sorting", "natural").status in (0, NOT_FOUND)
    assert client("get", "/a").status == 0   # one shard's affair


def test_a_prefix_stands_in_place_of_a_range(lone):
    for other in (["-s", "/a"], ["-e", "/b"], ["--index", "i"], ["--internal-keys"], ["--page-token", "x"]):
        outcome = lone("list", "--prefix", "/a", *other)
        assert outcome.status == USAGE and "--prefix" in outcome.err, outcome


def test_range_scan_prints_keys_and_values(client):
    for n in (2, 1, 3):
        put(client, f"/k/{n}", f"value-{n}")
    outcome = client("range-scan", "-s", "/k/1", "-e", "/k/3")
    assert outcome.status == 0
    assert "value-1" in outcome.out and "value-2" in outcome.out and "value-3" not in outcome.out
    assert outcome.out.index("value-1") < outcome.out.index("value-2")


def test_delete_range(client):
    for n in range(10):
        put(client, f"/k/{n}", "x")
    assert client("delete-range", "-s", "/k/2", "-e", "/k/8").status == 0
    assert client("list").lines == [f"/k/{n}" for n in (0, 1, 8, 9)]


def test_internal_keys_are_listed_on_request(lone):
    put(lone, "/a", "x")
    put(lone, "__oxia/a-test", "x")
    assert lone("list").lines == ["/a"]
    shown = lone("list", "--internal-keys").lines
    assert shown[:2] == ["/a", "__oxia/a-test"] and shown[2].startswith("__oxia/")


def test_partition_keys_route_every_word(client):
    for n in range(5):
        put(client, f"/k/{n}", str(n), "-p", "here")
    assert client("get", "/k/3", "-p", "here").out.rstrip("\n") == "3"
    assert client("list", "-p", "here").lines == [f"/k/{n}" for n in range(5)]
    assert "3" in client("range-scan", "-p", "here").out
    assert client("delete", "/k/3", "-p", "here").status == 0
    assert client("delete-range", "-s", "/k/0", "-e", "/k/2", "-p", "here").status == 0
    assert client("list", "-p", "here").lines == ["/k/2", "/k/4"]


def test_sequence_keys(client):
    assert put(client, "s", "x", "-p", "p", "-d", "1")["key"] == f"s-{1:020}"
    assert put(client, "s", "x", "-p", "p", "-d", "3")["key"] == f"s-{4:020}"
    assert put(client, "t", "x", "-p", "p", "-d", "1,2")["key"] == f"t-{1:020}-{2:020}"
    outcome = client("put", "s", "x", "-d", "1")
    assert outcome.status == USAGE and "partition" in outcome.err


# --- followers


class Follower:
    """Reads the lines of a command that goes on."""

    def __init__(self, process):
        self.process, self.lines = process, []
        threading.Thread(target=lambda: self.lines.extend(self._read()), daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
        return ()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


def test_notifications_are_printed_as_they_come(client):
    follower = Follower(client.start("notifications"))
    try:
        def told():   # the command follows from when it is connected: write until it is
            client("put", "/probe", "x")
            return follower.lines
        eventually(told, "the first notification")
        put(client, "/a", "1")
        client("delete", "/a")
        eventually(lambda: sum('"/a"' in line or "/a" in line.split() for line in follower.lines) >= 2, "both notifications")
    finally:
        status = follower.end()
    assert status in (0, 130, -signal.SIGINT)


def test_sequence_updates_are_printed_as_they_come(client):
    put(client, "s", "x", "-p", "p", "-d", "1")
    follower = Follower(client.start("sequence-updates", "s", "-p", "p"))
    try:
        eventually(lambda: any(f"s-{1:020}" in line for line in follower.lines), "the present key")
        put(client, "s", "x", "-p", "p", "-d", "1")
        eventually(lambda: any(f"s-{2:020}" in line for line in follower.lines), "the next key")
    finally:
        follower.end()


def test_an_ephemeral_record_lives_as_long_as_its_command(client):
    kept = client.start("put", "/e/kept", "x", "--ephemeral")
    killed = client.start("put", "/e/killed", "x", "--ephemeral", "--session-timeout", "2s")
    try:
        assert json.loads(kept.stdout.readline())["ephemeral"] and json.loads(killed.stdout.readline())["ephemeral"]
        assert client("list", "-s", "/e/", "-e", "/e//").lines == ["/e/kept", "/e/killed"]
        killed.kill()
        eventually(lambda: client("list", "-s", "/e/", "-e", "/e//").lines == ["/e/kept"], "the end of the killed one's session", every=0.2)
        kept.send_signal(signal.SIGINT)
        assert kept.wait(20) in (0, 130)
        assert client("get", "/e/kept").status == NOT_FOUND
    finally:
        for process in (kept, killed):
            process.kill()
            process.wait()


def test_notifications_stop_after_a_limit_and_go_on_after_a_position(lone):
    first = put(lone, "/a", "1")
    follower = lone.start("-o", "json", "notifications", "--limit", "3")
    seen = []
    try:
        def told():   # write until the follower is there and has had its three
            put(lone, "/a", "again")
            return follower.poll() is not None
        eventually(told, "the end of the follower", every=0.1)
        seen = [json.loads(line) for line in follower.stdout]
    finally:
        follower.kill()
    assert follower.returncode == 0 and len(seen) == 3 and all(change["key"] == first["key"] for change in seen)


def test_a_position_that_the_store_has_not_reached_is_told_as_a_gap(lone):
    follower = Follower(lone.start("notifications", "--after", "0=500000"))
    try:
        eventually(lambda: any(line.startswith("GAP shard=0 offsets 0 to ") for line in follower.lines), "the gap")
        put(lone, "/behind-the-gap", "x")
        eventually(lambda: any("/behind-the-gap" in line for line in follower.lines), "the change behind it")
    finally:
        follower.end()


# --- output for scripts


def test_output_as_json_is_one_object_a_line(client):
    put(client, "/a", "1")
    put(client, "/b", "2", "--index", "i=x")
    read = client("-o", "json", "get", "/a").json
    assert (read["key"], read["value"], read["version_id"]) == ("/a", "1", read["version_id"])
    assert [json.loads(line) for line in client("-o", "json", "list").lines] == [{"key": "/a"}, {"key": "/b"}]
    assert [json.loads(line)["value"] for line in client("-o", "json", "range-scan").lines] == ["1", "2"]
    assert client("-o", "json", "get", "x", "--index", "i").json["key"] == "/b"
    assert client("-o", "json", "delete", "/a").json["deleted"] is True


# --- many at once


def test_records_are_loaded_from_lines_of_json(client):
    lines = "".join(json.dumps({"key": f"/k/{n:04}", "value": f"värde {n}", "indexes": {"n": f"{n % 10}"}}) + "\n" for n in range(3000))
    outcome = client("put", "--json-lines", stdin=lines)
    assert outcome.status == 0, outcome
    assert len(client("list").lines) == 3000
    assert client("get", "/k/0042").out.rstrip("\n") == "värde 42"
    assert len(client("list", "--index", "n", "-s", "7", "-e", "8").lines) == 300
    assert client("get", "9", "--index", "n").status == 0


@pytest.mark.parametrize("line", ["{", "[]", '{"value":"x"}', '{"key":7}', '{"key":"/a","value":"x","index":{}}', '"x"',
                                  '{"key":"/a","value":"x","indexes":["y"]}'])
def test_a_line_that_is_no_record_is_named_by_its_number(lone, line):
    outcome = lone("put", "--json-lines", stdin='{"key":"/ok","value":"x"}\n' + line + "\n")
    assert outcome.status not in (0, UNAVAILABLE) and "line 2" in outcome.err, outcome


def test_a_value_that_is_json_is_stored_byte_for_byte(lone):
    for value in ("12345678901234567890123", "18446744073709551616", "1e400", "1.10", '{"b":1, "a":[ 1.0,"\\u00e9" ]}'):
        assert lone("put", "--json-lines", stdin=f'{{"key":"/a","value": {value} }}\n').status == 0
        assert lone("get", "/a").out == value + "\n"
        assert lone("batch", "-c", stdin=f'{{"put":"/b","value":{value}}}\n').status == 0
        assert lone("get", "/b").out == value + "\n"


def test_a_name_that_comes_twice_in_a_line_is_refused_with_its_number(lone):
    for words, line in ((("put", "--json-lines"), '{"key":"/a","value":1,"value":2}'), (("batch", "-c"), '{"put":"/a","value":1,"put":"/b"}')):
        outcome = lone(*words, stdin="\n" + line + "\n")
        assert outcome.status == USAGE and "line 2" in outcome.err and "given twice" in outcome.err, outcome
    assert lone("list").lines == []


# --- help and errors


def test_a_server_that_is_not_there_is_named():
    address = f"127.0.0.1:{free_port()}"
    outcome = run("client", "-a", address, "--request-timeout", "1s", "get", "/a", timeout=60)
    assert outcome.status == UNAVAILABLE and address in outcome.err


def test_an_unknown_namespace_is_named(server):
    outcome = run("client", "-a", server.address, "-n", "nowhere", "--request-timeout", "5s", "get", "/a", timeout=60)
    assert outcome.status == NOT_FOUND and "namespace" in outcome.err.lower()


@pytest.mark.parametrize("words", [(), ("client",), ("client", "get"), ("client", "put"), ("nonsense",), ("client", "nonsense"),
                                   ("client", "get", "/a", "-t", "sideways"), ("client", "put", "/a", "x", "-e", "many"),
                                   ("client", "delete-range"), ("client", "get", "/a", "--sharts")], ids=" ".join)
def test_words_that_make_no_sense_are_refused_and_told_why(words):
    outcome = run(*words)
    assert outcome.status == USAGE and outcome.err.startswith("Error: ") and outcome.out == "", outcome


GREAT = "99999999999999999999999"


@pytest.mark.parametrize("words, flag", [
    (("client", "put", "/a", "x", "-e", GREAT), "--expected-version"), (("client", "put", "/a", "x", "-e", "-2"), "--expected-version"),
    (("client", "put", "/a", "x", "-e", "0x1"), "--expected-version"), (("client", "delete", "/a", "-e", "-2"), "--expected-version"),
    (("client", "put", "/a", "x", "-p", "p", "-d", "-1"), "--sequence-keys-deltas"),
    (("client", "put", "/a", "x", "-p", "p", "-d", "1,1.5"), "--sequence-keys-deltas"),
    (("client", "list", "--limit", GREAT), "--limit"), (("client", "range-scan", "--limit", "-1"), "--limit"),
    (("client", "notifications", "--limit", "1e3"), "--limit"), (("wal", "scan", "--offset-first", "-5"), "--offset-first"),
    (("wal", "verify", "--shard", "one"), "--shard"), (("admin", "shard", "split", "-n", "a", "--shard", "0", "--split-point", GREAT), "--split-point"),
    (("admin", "namespace", "create", "a", "--initial-shards", "-1"), "--initial-shards"), (("perf", "--keys-cardinality", "0"), "--keys-cardinality"),
    (("cluster", "up", "--base-port", "70000"), "--base-port"), (("health", "--port", "65536"), "--port")], ids=lambda each: " ".join(each[-2:]) if isinstance(each, tuple) else "")
def test_a_number_out_of_range_is_refused_with_flag_and_range(words, flag):
    outcome = run(*words)
    assert outcome.status == USAGE and f"{flag}: expected a whole number from " in outcome.err and " to " in outcome.err, outcome


def test_numbers_are_decimal_up_to_the_last_that_fits(lone):
    assert put(lone, "/a", "x")["version_id"] == 0
    assert lone("put", "/a", "y", "-e", str(2**63 - 1)).status == VERSION_CONFLICT
    assert put(lone, "/a", "y", "-e", "00")["version_id"] == 1
    for n in range(9):
        put(lone, f"/k/{n}", "x")
    assert len(lone("list", "--limit", "010").lines) == 10   # not eight
    assert len(lone("list", "--limit", str(2**64 - 1)).lines) == 10


@pytest.mark.parametrize("words", [(), ("standalone",), ("client",), ("client", "put"), ("client", "get"), ("client", "list"),
                                   ("client", "range-scan"), ("client", "delete"), ("client", "delete-range"), ("client", "notifications"),
                                   ("client", "sequence-updates"), ("health",)], ids=" ".join)
def test_every_word_has_help(words):
    outcome = run(*words, "--help")
    assert outcome.status == 0 and outcome.err == "" and len(outcome.out) > 80, outcome


def test_help_is_a_word_too():
    for words in [(), ("client",), ("admin",), ("admin", "namespace"), ("client", "put"), ("standalone",)]:
        asked = run(*words, "--help").out
        assert (run("help", *words).out, run("help", *words).status) == (asked, 0), words
        if words[-1:] not in [("put",), ("standalone",)]:
            assert run(*words, "help").out == asked, words
    assert run("client", "help", "put").out == run("client", "put", "--help").out


def test_help_about_no_word_names_the_nearest():
    outcome = run("help", "client", "gett")
    assert outcome.status == USAGE and "unknown subcommand: gett; did you mean get?" in outcome.err


def test_help_is_a_key_like_any_other(lone):
    put(lone, "help", "yes")
    assert lone("get", "help").out == "yes\n"


def test_a_file_that_is_named_and_can_not_be_read_is_a_wrong_command_line(lone, tmp_path):
    missing = tmp_path / "missing"
    data = ["--data-dir", tmp_path / "data", "--public-addr", f"127.0.0.1:{free_port()}", "--metrics-addr", "none"]
    connection = ["client", "-a", lone.address]
    for words in ([*connection, "put", "/a", "--file", missing], [*connection, "put", "--json-lines", "--file", missing],
                  [*connection, "batch", "--file", missing], [*connection, "get", "/a", "--token-file", missing],
                  [*connection, "get", "/a", "--tls-trusted-ca-file", missing], [*connection, "get", "/a", "--tls-cert-file", missing],
                  ["restore", "-a", lone.address, "-f", missing], ["restore", "-a", lone.address, "-f", tmp_path],
                  ["wal", "verify", "--data-dir", missing], ["wal", "scan", "--wal-dir", missing], ["config", "check", missing],
                  ["standalone", *data, "--config", missing], ["standalone", *data, "--auth-users-file", missing],
                  ["standalone", *data, "--tls-cert-file", missing, "--tls-key-file", missing]):
        outcome = run(*words)
        assert outcome.status == USAGE and str(tmp_path) in outcome.err, (words, outcome)
    assert not (tmp_path / "data").exists()


def test_a_range_that_ends_before_it_begins_is_not_deleted(lone):
    put(lone, "/a", "x")
    refused = lone("delete-range", "-s", "/z", "-e", "/a")
    assert refused.status == USAGE and '"/z"' in refused.err and '"/a"' in refused.err, refused
    for low, high in (("/z", "/a/b"), ("/a/b", "/z"), ("/z", "/z")):   # the one or the other by the namespace's order, or just empty
        assert lone("delete-range", "-s", low, "-e", high).status == 0
    assert lone("delete-range", "-s", "/", "-e", "").status == 0


def test_json_lines_need_no_flag_for_standard_input(lone):
    refused = lone("put", "--json-lines", "-c", stdin='{"key":"/a","value":1}\n')
    assert refused.status == USAGE and "leave out -c" in refused.err


def test_help_of_standalone_names_its_flags_and_defaults():
    shown = run("standalone", "--help").out
    for flag in ("--public-addr", "--metrics-addr", "--shards", "--data-dir", "--notifications-enabled", "--key-sorting"):
        assert flag in shown
    assert "6648" in shown and "8080" in shown


def test_configuration_is_checked_and_explained(tmp_path):
    file = tmp_path / "skerry.yaml"
    outcome = run("config", "show")
    assert outcome.status == 0 and "shards" in outcome.out
    file.write_text(outcome.out)
    assert run("config", "check", file).status == 0
    json.loads(run("config", "schema").out)
    text = outcome.out
    for wrong in (text[:len(text) // 2] + "\n  - : {", "shardz: 3\n", "public: [1, 2\n", "\x00\x01"):
        file.write_text(wrong)
        outcome = run("config", "check", file)
        assert outcome.status not in (0, -6, -11) and str(file) in outcome.err + outcome.out, outcome
        assert run("standalone", "--config", file, "--data-dir", tmp_path / "data").status not in (0, -6, -11)
    missing = run("config", "check", tmp_path / "nothing.yaml")
    assert missing.status != 0 and "nothing.yaml" in missing.err + missing.out
    assert not (tmp_path / "data").exists()


def test_the_log_of_a_stopped_server_can_be_read_and_verified(make_server):
    server = make_server(shards=2)
    put(Client(server.address), "/needle", "x")
    server.stop()
    assert run("wal", "verify", "--data-dir", server.data).status == 0
    assert run("wal", "scan", "--data-dir", server.data).status == 0
    server.start()
    assert Client(server.address)("get", "/needle").status == 0


def test_a_log_is_scanned_and_verified_by_namespace_and_range(make_server):
    server = make_server(shards=1, arguments=["--namespace", "logs"])
    for n in range(5):
        put(Client(server.address), "/a", "x" * n)
    server.stop()

    def wal(word, *flags):
        return run("wal", word, "--data-dir", server.data, *flags)

    scanned = [json.loads(line) for line in wal("scan", "--json", "--namespace", "default", "--offset-first", "2", "--offset-last", "4").lines]
    assert {line["shard"] for line in scanned} == {0} and [line["offset"] for line in scanned] == [2, 3, 4]
    assert {line["shard"] for line in map(json.loads, wal("scan", "--json", "--namespace", "logs").lines)} == {1}
    verified = wal("verify", "--json", "--namespace", "default", "--offset-first", "1", "--offset-last", "5")
    assert verified.status == 0 and set(json.loads(verified.lines[0])["shards"]) == {"0"}
    beyond = wal("verify", "--shard", "0", "--offset-last", "5000")
    assert beyond.status == 1 and "shard 0: not all entries" in beyond.err
    for flags in ([], ["--offset-first", "1"]):
        nowhere = wal("verify", "--shard", "7", *flags)
        assert nowhere.status == NOT_FOUND and "no log here has a shard 7" in nowhere.err
    unknown = wal("scan", "--namespace", "lgos")
    assert unknown.status == NOT_FOUND and "did you mean logs?" in unknown.err
    assert wal("scan", "--offset-first", "5", "--offset-last", "4").status == USAGE


def test_misspelt_words_are_refused_with_the_nearest():
    for words, says in (((("frob", "--help")), "unknown subcommand: frob"), (("cleint", "--help"), "did you mean client?"),
                        (("client", "gte", "/a"), "did you mean get?"), (("client", "get", "/a", "--hx"), "did you mean --hex?"),
                        (("client", "get", "/a", "-a", "http://localhost:6648"), "as localhost:6648")):
        outcome = run(*words)
        assert outcome.status == USAGE and says in outcome.err and outcome.out == "", outcome
    assert run("client", "--help").status == 0


def test_completion_offers_the_values_of_choices():
    script = run("completion", "bash").out + """
COMP_WORDS=(skerry client list -o ""); COMP_CWORD=4; _skerry_complete; echo "${COMPREPLY[@]}"
COMP_WORDS=(skerry standalone --key-sorting h); COMP_CWORD=3; _skerry_complete; echo "${COMPREPLY[@]}"
COMP_WORDS=(skerry admin names); COMP_CWORD=2; _skerry_complete; echo "${COMPREPLY[@]}"
"""
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=20)
    assert done.stdout.splitlines() == ["text json", "hierarchical", "namespace"], done


def test_version_is_that_of_the_build():
    version = next(line.split()[2] for line in (ROOT / "CMakeLists.txt").read_text().splitlines() if line.startswith("project("))
    assert version in run("--version").out


def test_health_asks_the_server(server):
    host, port = server.address.split(":")
    assert run("health", "--host", host, "--port", port).status == 0
    assert run("health", "--host", host, "--port", port, "--service", "oxia-readiness").status == 0
    outcome = run("health", "--host", host, "--port", free_port(), "--timeout", "1s")
    assert outcome.status == UNAVAILABLE and outcome.err
    assert run("health", "--host", host, "--port", port, "--service", "nothing").status == NOT_FOUND


def test_every_command_ends_the_same_way_for_the_same_cause(server, tmp_path):
    nowhere = f"127.0.0.1:{free_port()}"
    store = ["-a", nowhere, "--request-timeout=500ms"]
    for words in (["client", *store, "get", "/a"], ["admin", *store, "namespace", "list"], ["top", "-m", nowhere, "--once"],
                  ["perf", *store, "--duration=1s"], ["health", "--port", nowhere.split(":")[1], "--timeout=500ms"]):
        assert run(*words).status == UNAVAILABLE, words
    assert run("shell", *store, stdin="get /a\n").status == UNAVAILABLE
    for words in (["client", "get"], ["client", "-a", "http://x", "get", "/a"], ["admin", "-a", "http://x", "namespace", "list"],
                  ["perf", "-a", server.address, "--rate=0"], ["top", "-i", "1ms"], ["health", "--timeout=0s"],
                  ["wal", "scan", "--offset-first", "5", "--offset-last", "4", "--data-dir", server.data], ["shell", "--nothing"]):
        assert run(*words).status == USAGE, words
    address = ["-a", server.address, "--request-timeout=10s"]
    for words in (["client", *address, "get", "/nothing"], ["client", *address, "-n", "nowhere", "list"],
                  ["admin", *address, "namespace", "get", "nowhere"], ["perf", *address, "-n", "nowhere", "--duration=1s"],
                  ["wal", "verify", "--data-dir", tmp_path], ["wal", "verify", "--data-dir", server.data, "--namespace", "nowhere"]):
        assert run(*words).status == NOT_FOUND, words
    assert run("admin", *address, "namespace", "create", "default").status == FAILED   # there is one


@pytest.mark.parametrize("words", [[], ["client"], ["admin"], ["shell"], ["perf"], ["top"], ["health"], ["wal"]])
def test_help_tells_the_exit_statuses(words):
    text = run(*words, "--help").out
    assert "Exit Status:" in text and all(f"\n  {status} " in text for status in range(8))
