// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "store/operations.hpp"
#include "store/record.hpp"

// The most frequent messages, straight between the wire and the store's own types: protobuf's objects cost a get more than the
// get itself. Of requests only what clients usually send is understood; whatever is unusual or wrong goes the way of all other
// methods, which says what is wrong with it. Field numbers are those of proto/oxia/client.proto.
namespace skerry::serve {

// A ReadRequest. Borrows from the bytes it was parsed from; kept for its room.
class PlainRead {
 public:
  // False when the bytes are not plainly a ReadRequest that names its shard. Texts are not checked.
  bool parse(BytesView message);
  ShardId shard() const { return shard_; }
  std::span<const store::Get> gets() const { return gets_; }

 private:
  ShardId shard_;
  std::vector<store::Get> gets_;
};

// Appends one element of a ReadResponse, or of a RangeScanResponse.
void append_get_response(Bytes& out, const store::RecordView& record, bool include_value);
void append_get_response(Bytes& out, const store::GetOutcome& outcome, bool include_value);

// Appends one key of a ListResponse.
void append_listed_key(Bytes& out, BytesView key);

// Appends a whole WriteResponse.
void append_write_response(Bytes& out, const store::WriteOutcome& outcome);

}  // namespace skerry::serve
