// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "base/bytes.hpp"
#include "node/cli_json_members.hpp"
#include "node/cli_parse.hpp"
#include "rpc/wire.hpp"
#include "runtime/setting_value.hpp"

namespace skerry::node {
namespace {

namespace json = boost::json;

// The fields of one line; what nobody took is complained about.
class BatchFields {
 public:
  explicit BatchFields(std::vector<JsonMember> members) : members_(std::move(members)) {}
  bool has(std::string_view name) const { return find_member(members_, name) != nullptr; }
  std::optional<JsonMember> take_member(std::string_view name) {
    const auto found = std::ranges::find(members_, name, &JsonMember::name);
    if (found == members_.end()) return std::nullopt;
    JsonMember member = std::move(*found);
    members_.erase(found);
    return member;
  }
  std::optional<json::value> take(std::string_view name) {
    auto member = take_member(name);
    return member ? std::optional(std::move(member->value)) : std::nullopt;
  }
  Result<std::optional<std::string>> take_text(const char* name) {
    const auto value = take(name);
    if (!value) return std::nullopt;
    if (!value->is_string()) return refuse(fmt::format("\"{}\" must be a string", name));
    return std::string(value->get_string());
  }
  Result<std::optional<VersionId>> take_version(const char* name, std::int64_t least) {
    const auto value = take(name);
    if (!value) return std::nullopt;
    if (!value->is_int64() || value->get_int64() < least) return refuse(fmt::format("\"{}\" must be a version id", name));
    return VersionId{value->get_int64()};
  }
  Result<> finish() const {
    if (members_.empty()) return {};
    return refuse(fmt::format("unknown field {}", printable(members_.front().name)));
  }

 private:
  std::vector<JsonMember> members_;
};

Result<> add_condition(BatchFields& fields, client::AtomicBatch& batch) {
  TRY(const auto key, fields.take_text("if"));
  TRY(const auto version, fields.take_version("version", 0));
  const auto exists = fields.take("exists");
  if (exists.has_value() == version.has_value() || (exists && !exists->is_bool())) {
    return refuse("a condition asks for \"exists\":true, \"exists\":false or \"version\":N, one of them");
  }
  if (version) {
    batch.if_version(*key, *version);
  } else if (exists->get_bool()) {
    batch.if_exists(*key);
  } else {
    batch.if_absent(*key);
  }
  return {};
}

Result<std::string> take_value(BatchFields& fields) {
  const auto value = fields.take_member("value");
  TRY(const auto encoded, fields.take_text("value_base64"));
  if (value.has_value() == encoded.has_value()) return refuse("expected \"value\" or \"value_base64\", one of them");
  if (value) return json_record_value(*value);
  auto bytes = rpc::wire::base64_decode(*encoded);
  if (!bytes) return refuse("\"value_base64\" is not base64");
  return *std::move(bytes);
}

Result<> add_put(BatchFields& fields, client::AtomicBatch& batch) {
  client::PutOptions options;
  TRY(const auto key, fields.take_text("put"));
  TRY(std::string value, take_value(fields));
  TRY(options.expected_version, fields.take_version("expected_version", -1));
  TRY(const auto ttl, fields.take_text("ttl"));
  if (ttl) {
    TRY(options.time_to_live, parse_ttl(*ttl));
  }
  if (const auto keep = fields.take("keep_ttl")) {
    if (!keep->is_bool()) return refuse("\"keep_ttl\" must be true or false");
    if (keep->get_bool()) options.expiry = client::Expiry::keep;
  }
  if (const auto indexes = fields.take_member("indexes")) {
    TRY(options.indexes, json_indexes(*indexes));
  }
  batch.put(*key, std::move(value), std::move(options));
  return {};
}

Result<> add_delete(BatchFields& fields, client::AtomicBatch& batch) {
  TRY(const auto key, fields.take_text("delete"));
  TRY(const auto version, fields.take_version("expected_version", 0));
  batch.remove(*key, version);
  return {};
}

Result<> add_delete_range(BatchFields& fields, client::AtomicBatch& batch) {
  const auto range = fields.take("delete_range");
  const json::array* ends = range->if_array();
  if (ends == nullptr || ends->size() != 2 || !(*ends)[0].is_string() || !(*ends)[1].is_string()) {
    return refuse("\"delete_range\" must be two keys: [\"/tmp/\",\"/tmp//\"]");
  }
  batch.remove_range({std::string((*ends)[0].get_string()), std::string((*ends)[1].get_string())});
  return {};
}

}  // namespace

Result<std::chrono::milliseconds> parse_ttl(std::string_view text) {
  TRY(const Duration length, parse_duration(std::string(text)));
  return std::chrono::ceil<std::chrono::milliseconds>(length);
}

Result<std::pair<std::string, std::string>> parse_pair(std::string_view text, std::string_view what) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return refuse(fmt::format("{} is not {}", printable(text), what));
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

Result<VersionId> parse_version(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    return refuse(fmt::format("{} is no version id: a number, 0 or above", printable(text)));
  }
  return VersionId{number};
}

Result<> parse_batch_line(std::string_view line, client::AtomicBatch& batch) {
  TRY(auto members, json_members(line));
  BatchFields fields(std::move(members));
  Result<> added;
  if (fields.has("if")) {
    added = add_condition(fields, batch);
  } else if (fields.has("put")) {
    added = add_put(fields, batch);
  } else if (fields.has("delete")) {
    added = add_delete(fields, batch);
  } else if (fields.has("delete_range")) {
    added = add_delete_range(fields, batch);
  } else {
    return refuse("expected \"if\", \"put\", \"delete\" or \"delete_range\"");
  }
  TRYV(std::move(added));
  return fields.finish();
}

}  // namespace skerry::node
