// SPDX-License-Identifier: Apache-2.0
// Any configuration file is either taken or refused with a text; what was taken is shown as YAML that gives the same values
// again.
#include <cstdint>
#include <string>

#include "base/assert.hpp"
#include "runtime/settings.hpp"

using namespace skerry;

namespace {

struct Fields {
  std::string address = "127.0.0.1:6648";
  bool sync = true;
  std::uint16_t shards = 1;
  std::int64_t cache = 100 << 20;
  Duration retention = 1h;
  double ratio = 0.5;
  std::vector<std::string> peers;
  friend bool operator==(const Fields&, const Fields&) = default;
};

void declare(Settings& settings, Fields& fields) {
  settings.add("public.address", fields.address, "Where clients connect.");
  settings.add("storage.wal.sync", fields.sync, "Whether every batch is synced.");
  settings.add("shards", fields.shards, "Number of shards.").limits(1, 64);
  settings.add("storage.cache", fields.cache, "Memory for blocks.").unit(Unit::mebibytes).limits(1, std::int64_t{1} << 40);
  settings.add("storage.wal.retention-time", fields.retention, "How long entries are kept.");
  settings.add("ratio", fields.ratio, "A share.").limits(0.0, 1.0);
  settings.add("peers", fields.peers, "Others.");
}

}   // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Fields fields, again;
  Settings settings, other;
  declare(settings, fields);
  declare(other, again);
  const auto loaded = settings.load({"conf.yaml", std::string(reinterpret_cast<const char*>(data), size), {}});
  if (!loaded) {
    SKERRY_ASSERT(!loaded.error().message().empty() && fields == Fields());
    return 0;
  }
  SKERRY_ASSERT(fields.shards >= 1 && fields.shards <= 64 && fields.cache >= 1 && fields.retention >= Duration::zero());
  const std::string shown = settings.show();
  // Bytes that are no UTF-8 can't be written as YAML; everything else comes back.
  if (shown.find("\\u00") != std::string::npos) return 0;
  SKERRY_ASSERT(other.load({"shown.yaml", shown, {}}).has_value());
  SKERRY_ASSERT(fields == again);
  return 0;
}
