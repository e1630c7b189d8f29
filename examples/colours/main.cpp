// SPDX-License-Identifier: Apache-2.0
// A first program against a store: puts, a guarded update, a list, a scan over a secondary index. README.md beside it tells how
// to run it.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "client/blocking_client.hpp"
#include "client/error.hpp"

using skerry::client::BlockingClient;
using skerry::client::ClientErrc;

namespace {

[[noreturn]] void give_up(const char* what, const skerry::Error& error) {
  std::fprintf(stderr, "%s: %s\n", what, error.message().c_str());
  std::exit(1);
}

// Adds one to a counter that others may be adding to at the same time: read, then write only if nobody was faster.
std::string count_visit(BlockingClient& client) {
  for (;;) {
    const auto current = client.get("/colours/visits");
    if (!current && current.error() != ClientErrc::key_not_found) give_up("get", current.error());
    const int visits = current ? std::atoi(current->value.c_str()) + 1 : 1;
    const auto expected = current ? current->version.version_id : skerry::client::must_not_exist;
    const auto put = client.put("/colours/visits", std::to_string(visits), {.expected_version = expected});
    if (put) return std::to_string(visits);
    if (put.error() != ClientErrc::unexpected_version_id) give_up("put", put.error());
  }
}

void put_colour(BlockingClient& client, const std::string& thing, const std::string& colour) {
  const auto put = client.put("/colours/things/" + thing, colour, {.indexes = {{"by-colour", colour}}});
  if (!put) give_up("put", put.error());
}

}  // namespace

int main(int argc, char** argv) {
  auto made = BlockingClient::make({.addresses = {argc > 1 ? argv[1] : "localhost:6648"}});
  if (!made) give_up("client", made.error());
  BlockingClient& client = **made;

  put_colour(client, "sky", "blue");
  put_colour(client, "grass", "green");
  put_colour(client, "sea", "blue");

  std::printf("Things:\n");
  // From "…/things/" to "…/things//": the direct children of /colours/things.
  const auto listed = client.list({"/colours/things/", "/colours/things//"}, {}, [](const std::string& key) {
    std::printf("  %s\n", key.c_str());
    return true;
  });
  if (!listed) give_up("list", listed.error());

  std::printf("Things by colour:\n");
  const auto scanned = client.scan({}, {.index = "by-colour"}, [](const skerry::client::Record& record) {
    std::printf("  %s: %s, version %lld\n", record.value.c_str(), record.key.c_str(),
                static_cast<long long>(record.version.version_id.value()));
    return true;
  });
  if (!scanned) give_up("scan", scanned.error());

  std::printf("Visit number %s\n", count_visit(client).c_str());
}
