// SPDX-License-Identifier: Apache-2.0
#include "node/cli_output.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>

#include "base/bytes.hpp"
#include "rpc/wire.hpp"

namespace skerry::node {
namespace {

namespace json = boost::json;

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

// Keeps the order in which its fields are added.
class Fields {
 public:
  template <class T>
  Fields& add(std::string_view name, const T& value) {
    text_ += text_.empty() ? "{" : ",";
    text_ += json::serialize(json::string_view(name.data(), name.size()));
    text_ += ':';
    text_ += json::serialize(json::value(value));
    return *this;
  }
  Fields& text(std::string_view name, std::string_view value) { return add(name, json::string(view(value))); }
  Fields& raw(std::string_view name, std::string_view text) {   // JSON already
    text_ += text_.empty() ? "{" : ",";
    text_ += fmt::format("\"{}\":{}", name, text);
    return *this;
  }
  std::string close() { return text_.empty() ? "{}" : text_ + "}"; }

 private:
  std::string text_;
};

void add_version(Fields& fields, const client::Version& version) {
  fields.add("version_id", version.version_id.value())
      .text("created_timestamp", timestamp(version.created))
      .text("modified_timestamp", timestamp(version.modified))
      .add("modifications_count", version.modifications)
      .add("ephemeral", version.session.has_value())
      .add("session_id", version.session.value_or(SessionId{}).value())
      .text("client_identity", version.client_identity);
  if (version.expires) fields.text("expires_timestamp", timestamp(*version.expires));
}

std::string_view kind_name(client::ChangeKind kind) {
  constexpr std::array<std::string_view, 5> names{"KEY_CREATED", "KEY_MODIFIED", "KEY_DELETED", "KEY_RANGE_DELETED", "GAP"};
  const auto at = static_cast<std::size_t>(kind);
  return at < names.size() ? names[at] : "UNKNOWN";
}

}  // namespace

std::string version_json(std::string_view key, const client::Version& version) {
  Fields fields;
  fields.text("key", key);
  add_version(fields, version);
  return fields.close();
}

std::string record_json(const client::Record& record) {
  Fields fields;
  fields.text("key", record.key);
  if (find_invalid_utf8(record.value)) {
    std::string padded = rpc::wire::base64_encode(record.value);
    padded.append((4 - padded.size() % 4) % 4, '=');
    fields.text("value_base64", padded);
  } else {
    fields.text("value", record.value);
  }
  add_version(fields, record.version);
  if (record.secondary_key) fields.text("secondary_key", *record.secondary_key);
  return fields.close();
}

std::string key_json(std::string_view key) { return Fields().text("key", key).close(); }

std::string page_token_json(std::string_view token) { return Fields().text("next_page_token", token).close(); }

std::string batch_json(const client::BatchResult& result) {
  Fields fields;
  fields.add("applied", !result.rejection.has_value());
  if (const auto& rejection = result.rejection) {
    const bool condition = rejection->part == client::BatchRejection::Part::condition;
    fields.add(condition ? "condition" : "operation", rejection->position).text("key", rejection->key);
    if (rejection->found) fields.add("found_version_id", rejection->found->value());
    return fields.close();
  }
  std::string results;
  for (const client::OperationResult& one : result.results) {
    results += results.empty() ? "[" : ",";
    results += one.put ? version_json(one.put->key, one.put->version) : Fields().add("found", one.found).close();
  }
  return fields.raw("results", results.empty() ? "[]" : results + "]").close();
}

std::string rejection_text(const client::BatchRejection& rejection) {
  const bool condition = rejection.part == client::BatchRejection::Part::condition;
  return fmt::format("nothing was changed: {} {} failed: {} {}", condition ? "condition" : "operation", rejection.position,
                     rejection.key,
                     rejection.session_expired ? "needs a session that has expired"
                     : rejection.found         ? fmt::format("is of version {}", rejection.found->value())
                                               : "is not there");
}

std::string change_json(const client::Change& change) {
  if (change.kind == client::ChangeKind::gap) {
    return Fields()
        .text("type", kind_name(change.kind))
        .add("shard", change.shard.value())
        .add("missing_from", change.missing_from.value())
        .add("offset", change.offset.value())
        .close();
  }
  Fields fields;
  fields.text("type", kind_name(change.kind)).text("key", change.key);
  if (change.version_id) fields.add("version_id", change.version_id->value());
  if (change.kind == client::ChangeKind::range_deleted) fields.text("key_range_end", change.range_end);
  return fields.add("shard", change.shard.value())
      .add("offset", change.offset.value())
      .text("timestamp", timestamp(change.time))
      .close();
}

std::string change_text(const client::Change& change) {
  if (change.kind == client::ChangeKind::gap) {
    return fmt::format("GAP shard={} offsets {} to {}", change.shard.value(), change.missing_from.value(), change.offset.value());
  }
  std::string line = fmt::format("{} {}", kind_name(change.kind), change.key);
  if (change.version_id) line += fmt::format(" version-id={}", change.version_id->value());
  if (change.kind == client::ChangeKind::range_deleted) line += " key-range-end=" + change.range_end;
  return line;
}

std::string deleted_json(std::string_view key) { return Fields().text("key", key).add("deleted", true).close(); }

std::string range_deleted_json(const client::KeyRange& range) {
  return Fields().text("key_min", range.start).text("key_max", range.end).add("deleted", true).close();
}

std::string hex_dump(std::string_view bytes) {
  constexpr std::size_t row_bytes = 16;
  std::string out;
  for (std::size_t start = 0; start < bytes.size(); start += row_bytes) {
    const std::string_view row = bytes.substr(start, row_bytes);
    out += fmt::format("{:08x} ", start);
    for (std::size_t i = 0; i < row_bytes; ++i) {
      if (i % 8 == 0) out += ' ';
      out += i < row.size() ? fmt::format("{:02x} ", static_cast<unsigned char>(row[i])) : "   ";
    }
    out += " |";
    for (const char c : row) out += c >= ' ' && c <= '~' ? c : '.';
    out += "|\n";
  }
  return out;
}

std::string timestamp(WallTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t seconds = second.time_since_epoch().count();
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return fmt::format("{}ms", time.time_since_epoch().count());   // beyond year 2^31
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03d}Z", parts, (time - second).count());
}

}   // namespace skerry::node
