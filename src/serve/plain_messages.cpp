// SPDX-License-Identifier: Apache-2.0
#include "serve/plain_messages.hpp"

#include <array>
#include <bit>

namespace skerry::serve {
namespace {

enum WireType : std::uint8_t { varint = 0, fixed64 = 1, sized = 2 };
constexpr std::uint8_t tag(unsigned field, WireType type) { return static_cast<std::uint8_t>(field << 3 | type); }

// --- reading

bool parse_get(BytesView message, store::Get& get) {
  ByteReader reader(message);
  get.include_value = false;
  while (reader.ok() && !reader.done()) {
    switch (reader.little_endian<std::uint8_t>()) {
      case tag(1, sized): get.key = reader.sized(); break;
      case tag(2, varint): get.include_value = reader.varint() != 0; break;
      case tag(3, varint): {
        const std::uint64_t comparison = reader.varint();
        if (comparison > static_cast<std::uint64_t>(store::Comparison::higher)) return false;
        get.comparison = static_cast<store::Comparison>(comparison);
        break;
      }
      case tag(4, sized): get.index = reader.sized(); break;
      default: return false;
    }
  }
  return reader.ok();
}

// --- writing

constexpr std::size_t varint_bytes(std::uint64_t value) { return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7; }

// The small fields before and between the long ones, put together where appending one by one would cost a check each.
class Head {
 public:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_[size_++] = static_cast<char>(value | 0x80);
    bytes_[size_++] = static_cast<char>(value);
  }
  void field(std::uint8_t tag, std::uint64_t value) {
    bytes_[size_++] = static_cast<char>(tag);
    varint(value);
  }
  void fixed(std::uint8_t tag, std::uint64_t value) {
    bytes_[size_++] = static_cast<char>(tag);
    value = to_little_endian(value);
    std::memcpy(bytes_.data() + size_, &value, sizeof value);
    size_ += sizeof value;
  }
  BytesView view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, 128> bytes_;   // more than all small fields of an answer take
  std::size_t size_ = 0;
};

struct VersionFields {
  std::uint64_t version_id, modifications, created_millis, modified_millis;
  std::optional<std::uint64_t> session;
  std::optional<BytesView> client_identity;

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const std::uint64_t number : {version_id, modifications}) sum += number == 0 ? 0 : 1 + varint_bytes(number);
    for (const std::uint64_t number : {created_millis, modified_millis}) sum += number == 0 ? 0 : 1 + sizeof number;
    if (session) sum += 1 + varint_bytes(*session);
    if (client_identity) sum += 1 + varint_bytes(client_identity->size()) + client_identity->size();
    return sum;
  }
  // All but the bytes of the identity, which come last.
  void write(Head& head) const {
    if (version_id != 0) head.field(tag(1, varint), version_id);
    if (modifications != 0) head.field(tag(2, varint), modifications);
    if (created_millis != 0) head.fixed(tag(3, fixed64), created_millis);
    if (modified_millis != 0) head.fixed(tag(4, fixed64), modified_millis);
    if (session) head.field(tag(5, varint), *session);
    if (client_identity) head.field(tag(6, sized), client_identity->size());
  }
};

std::uint64_t number_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }

template <class Session>
std::optional<std::uint64_t> number_of(const std::optional<Session>& session) {
  return session ? std::optional(number_of(session->value())) : std::nullopt;
}

VersionFields fields_of(const store::Version& version) {
  return {number_of(version.version_id.value()),
          number_of(version.modifications),
          version.created_millis,
          version.modified_millis,
          number_of(version.session),
          version.client_identity ? std::optional<BytesView>(*version.client_identity) : std::nullopt};
}

VersionFields fields_of(const store::RecordView& record) {
  return {number_of(record.version_id.value()),
          number_of(record.modifications),
          record.created.millis(),
          record.modified.millis(),
          number_of(record.session),
          record.client_identity};
}

// A text or value at the end of a message.
struct Tail {
  std::uint8_t tag;
  std::optional<BytesView> content;
  std::size_t bytes() const { return content ? 1 + varint_bytes(content->size()) + content->size() : 0; }
  void append(Bytes& out) const {
    if (!content) return;
    out.push_back(static_cast<char>(tag));
    append_sized(out, *content);
  }
};

// One answer, as an element of a repeated field: version, then the tails.
template <std::size_t Count>
void append_answer(Bytes& out, std::uint8_t element, const VersionFields& version, const std::array<Tail, Count>& tails) {
  const std::size_t version_bytes = version.bytes();
  std::size_t all = 1 + varint_bytes(version_bytes) + version_bytes;
  for (const Tail& tail : tails) all += tail.bytes();
  Head head;
  head.field(element, all);
  head.field(tag(2, sized), version_bytes);
  version.write(head);
  out.append(head.view());
  if (version.client_identity) out.append(*version.client_identity);
  for (const Tail& tail : tails) tail.append(out);
}

void append_status(Bytes& out, std::uint8_t element, store::Status status) {
  Head head;
  head.field(element, status == store::Status::ok ? 0 : 2);
  if (status != store::Status::ok) head.field(tag(1, varint), static_cast<std::uint64_t>(status));
  out.append(head.view());
}

std::optional<BytesView> view_of(const std::optional<Bytes>& bytes) {
  return bytes ? std::optional<BytesView>(*bytes) : std::nullopt;
}

}  // namespace

bool PlainRead::parse(BytesView message) {
  gets_.clear();
  bool named = false;
  ByteReader reader(message);
  while (reader.ok() && !reader.done()) {
    switch (reader.little_endian<std::uint8_t>()) {
      case tag(1, varint):
        shard_ = ShardId(static_cast<std::int64_t>(reader.varint()));
        named = true;
        break;
      case tag(2, sized):
        if (!parse_get(reader.sized(), gets_.emplace_back())) return false;
        break;
      default: return false;
    }
  }
  return reader.ok() && named;
}

void append_get_response(Bytes& out, const store::RecordView& record, bool include_value) {
  const std::optional<BytesView> value = include_value ? std::optional(record.value) : std::nullopt;
  append_answer(out, tag(1, sized), fields_of(record), std::array{Tail{tag(3, sized), value}});
}

void append_get_response(Bytes& out, const store::GetOutcome& outcome, bool include_value) {
  if (outcome.status != store::Status::ok) return append_status(out, tag(1, sized), outcome.status);
  const std::optional<BytesView> value = include_value ? std::optional<BytesView>(outcome.value) : std::nullopt;
  append_answer(out, tag(1, sized), fields_of(outcome.version),
                std::array{Tail{tag(3, sized), value}, Tail{tag(4, sized), view_of(outcome.key)},
                           Tail{tag(5, sized), view_of(outcome.secondary_key)}});
}

void append_listed_key(Bytes& out, BytesView key) { Tail{tag(1, sized), key}.append(out); }

void append_write_response(Bytes& out, const store::WriteOutcome& outcome) {
  for (const store::PutOutcome& put : outcome.puts) {
    if (put.status == store::Status::ok) {
      append_answer(out, tag(1, sized), fields_of(put.version), std::array{Tail{tag(3, sized), view_of(put.key)}});
    } else {
      append_status(out, tag(1, sized), put.status);
    }
  }
  for (const store::Status status : outcome.deletes) append_status(out, tag(2, sized), status);
  for (const store::Status status : outcome.delete_ranges) append_status(out, tag(3, sized), status);
}

}  // namespace skerry::serve
