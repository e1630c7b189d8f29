// SPDX-License-Identifier: Apache-2.0
#include "serve/heirs.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "store/layout.hpp"

namespace skerry::serve {
namespace {

// Whose the operation is; heirs.size(): nobody's.
template <class Operation>
std::size_t heir_of(const Operation& operation, std::span<const ShardPlace> heirs) {
  const std::uint32_t hash = key_hash(operation.has_partition_key() ? operation.partition_key() : operation.key());
  const auto found =
      std::ranges::find_if(heirs, [hash](const ShardPlace& each) { return each.hash_min <= hash && hash <= each.hash_max; });
  return static_cast<std::size_t>(found - heirs.begin());
}

}  // namespace

std::optional<std::vector<HeirWrite>> cut_write(const proto::WriteRequest& whole, std::span<const ShardPlace> heirs) {
  std::vector<HeirWrite> parts(heirs.size() + 1);   // the last: nobody's
  for (std::size_t at = 0; at < heirs.size(); ++at) parts[at].request.set_shard(heirs[at].shard.value());
  for (int at = 0; at < whole.puts_size(); ++at) {
    HeirWrite& part = parts[heir_of(whole.puts(at), heirs)];
    *part.request.add_puts() = whole.puts(at);
    part.puts.push_back(at);
  }
  for (int at = 0; at < whole.deletes_size(); ++at) {
    HeirWrite& part = parts[heir_of(whole.deletes(at), heirs)];
    *part.request.add_deletes() = whole.deletes(at);
    part.deletes.push_back(at);
  }
  if (parts.back().request.puts_size() + parts.back().request.deletes_size() > 0) return std::nullopt;
  parts.pop_back();
  for (int at = 0; at < whole.delete_ranges_size(); ++at) {
    for (HeirWrite& part : parts) {
      *part.request.add_delete_ranges() = whole.delete_ranges(at);
      part.delete_ranges.push_back(at);
    }
  }
  std::erase_if(parts,
                [](const HeirWrite& part) { return part.puts.empty() && part.deletes.empty() && part.delete_ranges.empty(); });
  return parts;
}

void put_together(const HeirWrite& part, proto::WriteResponse answer, proto::WriteResponse& whole) {
  const auto place = [](const std::vector<int>& places, auto* answers, auto* all) {
    for (std::size_t at = 0; at < places.size(); ++at) {
      while (all->size() <= places[at]) all->Add();
      *all->Mutable(places[at]) = std::move(*answers->Mutable(static_cast<int>(at)));
    }
  };
  place(part.puts, answer.mutable_puts(), whole.mutable_puts());
  place(part.deletes, answer.mutable_deletes(), whole.mutable_deletes());
  place(part.delete_ranges, answer.mutable_delete_ranges(), whole.mutable_delete_ranges());
}

namespace {

// Of a plain get at most one has the record, and does not name its key.
bool is_better(const proto::GetRequest& get, store::KeyOrder order, const proto::GetResponse& a, const proto::GetResponse& b) {
  if (a.status() != proto::OK || b.status() != proto::OK) return a.status() == proto::OK;
  const auto is_exact = [&get](const proto::GetResponse& record) { return record.secondary_index_key() == get.key(); };
  // Of several records with the very secondary key that was asked for, a shard finds the first.
  const bool greatest =
      get.comparison_type() == proto::LOWER ||
      (get.comparison_type() == proto::FLOOR && !(get.has_secondary_index_name() && is_exact(a) && is_exact(b)));
  const Bytes at_a = place_of(order, get.has_secondary_index_name(), a),
              at_b = place_of(order, get.has_secondary_index_name(), b);
  return greatest ? at_a > at_b : at_a < at_b;
}

}  // namespace

Bytes place_of(store::KeyOrder order, bool by_index, const proto::GetResponse& record) {
  if (by_index) return store::index_entry_key(order, {}, record.secondary_index_key(), record.key());
  return store::encode_key(order, record.key());
}

void put_together(const proto::ReadRequest& request, store::KeyOrder order, proto::ReadResponse answer,
                  proto::ReadResponse& whole) {
  if (whole.gets_size() == 0) {
    whole = std::move(answer);
    return;
  }
  for (int at = 0; at < whole.gets_size(); ++at) {
    if (is_better(request.gets(at), order, answer.gets(at), whole.gets(at))) {
      *whole.mutable_gets(at) = std::move(*answer.mutable_gets(at));
    }
  }
}

}  // namespace skerry::serve
