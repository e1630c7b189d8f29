// SPDX-License-Identifier: Apache-2.0
// What a coordinator reads: files, the list of members, the cluster's configuration and status, and what others say. The first
// byte chooses. Nothing may crash it, and what it takes it writes so that it reads the same again.
#include <cstdint>

#include "base/assert.hpp"
#include "control/cluster_config.hpp"
#include "control/cluster_status.hpp"
#include "control/metadata_document.hpp"
#include "control/metadata_items.hpp"
#include "control/raft_core.hpp"
#include "control/raft_members.hpp"
#include "control/raft_wire.hpp"

namespace {

using namespace skerry;
using namespace skerry::control;

// One of three, told all this by another; its own disk is as fast as can be.
void listen(BytesView bytes) {
  v1::AgreeRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  TimePoint now{};
  RaftCore core({.self = RaftMember(0), .members = 3}, {}, now);
  core.stand();
  for (const auto& each : request.messages()) {
    const auto message = read(each);
    if (!message) continue;
    const Offset committed = core.commit();
    if (!core.receive(RaftMember(1), *message, now)) continue;
    SKERRY_ASSERT(core.commit() >= committed && core.commit() <= core.log().last());
    static_cast<void>(core.persisted(core.position(), now));
    static_cast<void>(core.tick(now += 100ms));
    if (core.leads()) static_cast<void>(core.appends(now));
  }
}

void read_back(BytesView bytes) {
  if (const auto items = decode_items(bytes)) SKERRY_ASSERT(*decode_items(encode(*items)) == *items);
  if (const auto changes = decode_changes(bytes)) SKERRY_ASSERT(decode_changes(encode(*changes)).has_value());
}

void read_status(BytesView bytes) {
  const auto items = decode_items(bytes);
  if (!items) return;
  const auto status = ClusterStatus::from_items(*items);
  if (!status) return SKERRY_ASSERT(!status.error().message().empty());
  SKERRY_ASSERT(*ClusterStatus::from_items(status->to_items()) == *status);
  SKERRY_ASSERT(!status->to_yaml().empty());
}

void read_configuration(BytesView bytes) {
  const auto config = ClusterConfig::from_yaml(std::string(bytes));
  if (!config) return SKERRY_ASSERT(!config.error().message().empty());
  SKERRY_ASSERT(*ClusterConfig::from_yaml(config->to_yaml()) == *config);
}

}   // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const BytesView bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0: listen(bytes); break;
    case 1: read_back(bytes); break;
    case 2: static_cast<void>(RaftMembers::parse(bytes, "a")); break;
    case 3: static_cast<void>(MetadataDocument{.what = "skerry cluster status"}.open(bytes, "file")); break;
    case 4: read_status(bytes); break;
    default: read_configuration(bytes); break;
  }
  return 0;
}
