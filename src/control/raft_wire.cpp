// SPDX-License-Identifier: Apache-2.0
#include "control/raft_wire.hpp"

#include "base/assert.hpp"

namespace skerry::control {
namespace {

using Ballot = RaftVote::Ballot;

Ballot ballot(bool binding) { return binding ? Ballot::binding : Ballot::trial; }

struct RaftWriter {
  v1::RaftMessage& out;

  void operator()(const RaftVote& m) const {
    auto& vote = *out.mutable_vote();
    vote.set_binding(m.ballot == Ballot::binding);
    vote.set_term(m.term.value());
    entry_to_wire(m.head, *vote.mutable_head());
  }
  void operator()(const RaftVoteAnswer& m) const {
    auto& answer = *out.mutable_vote_answer();
    answer.set_binding(m.ballot == Ballot::binding);
    answer.set_granted(m.granted);
    answer.set_term(m.term.value());
  }
  void operator()(const RaftAppend& m) const {
    auto& append = *out.mutable_append();
    append.set_term(m.term.value());
    entry_to_wire(m.previous, *append.mutable_previous());
    append.set_commit(m.commit.value());
    append.set_sent(time_to_wire(m.sent));
    for (const RaftEntry& each : m.entries) {
      auto& entry = *append.add_entries();
      entry.set_term(each.term.value());
      entry.set_payload(*each.payload);
    }
  }
  void operator()(const RaftAppendAnswer& m) const {
    auto& answer = *out.mutable_append_answer();
    answer.set_kind(v1::RaftAppendAnswer::Kind(static_cast<int>(m.kind)));
    answer.set_term(m.term.value());
    answer.set_matched(m.matched.value());
    answer.set_received(m.received.value());
    answer.set_missing(m.missing.value());
    entry_to_wire(m.newest, *answer.mutable_newest());
    answer.set_sent(time_to_wire(m.sent));
  }
  void operator()(const RaftGaveUp& m) const { out.mutable_gave_up()->set_term(m.term.value()); }
  void operator()(const RaftSnapshot&) const { SKERRY_ASSERT(false); }
};

RaftAppend read_append(const v1::RaftAppend& in) {
  RaftAppend out{.term = Term(in.term()),
                 .previous = entry_from_wire(in.previous()),
                 .commit = Offset(in.commit()),
                 .sent = time_from_wire(in.sent())};
  for (const auto& each : in.entries()) out.entries.push_back({Term(each.term()), std::make_shared<const Bytes>(each.payload())});
  return out;
}

RaftAppendAnswer read_answer(const v1::RaftAppendAnswer& in) {
  return {.kind = static_cast<RaftAppendAnswer::Kind>(in.kind()),
          .term = Term(in.term()),
          .matched = Offset(in.matched()),
          .received = Offset(in.received()),
          .missing = Offset(in.missing()),
          .newest = entry_from_wire(in.newest()),
          .sent = time_from_wire(in.sent())};
}

}  // namespace

void entry_to_wire(const EntryId& entry, v1::EntryId& out) {
  out.set_term(entry.term.value());
  out.set_offset(entry.offset.value());
}

EntryId entry_from_wire(const v1::EntryId& in) { return {Term(in.term()), Offset(in.offset())}; }

void write(const RaftMessage& message, v1::RaftMessage& out) { std::visit(RaftWriter{out}, message); }

Result<RaftMessage> read(const v1::RaftMessage& in) {
  switch (in.what_case()) {
    case v1::RaftMessage::kVote:
      return RaftVote{ballot(in.vote().binding()), Term(in.vote().term()), entry_from_wire(in.vote().head())};
    case v1::RaftMessage::kVoteAnswer:
      return RaftVoteAnswer{ballot(in.vote_answer().binding()), in.vote_answer().granted(), Term(in.vote_answer().term())};
    case v1::RaftMessage::kAppend: return read_append(in.append());
    case v1::RaftMessage::kAppendAnswer:
      if (!v1::RaftAppendAnswer::Kind_IsValid(in.append_answer().kind())) break;
      return read_answer(in.append_answer());
    case v1::RaftMessage::kGaveUp: return RaftGaveUp{Term(in.gave_up().term())};
    case v1::RaftMessage::WHAT_NOT_SET: break;
  }
  return fail(Errc::corrupt, "a coordinator says something that this one does not know: start the same version everywhere");
}

}  // namespace skerry::control
