// SPDX-License-Identifier: Apache-2.0
#include "sim/replicas/log.hpp"

namespace skerry::sim {

replica::Recovered SimStore::recovered() const {
  replica::Recovered found{.term = term, .version = version, .last = last(), .first = first(), .applied = applied.offset};
  if (before.offset != no_offset) found.terms.append(before.term, before.offset);
  for (std::size_t at = 0; at < entries.size(); ++at) {
    found.terms.append(entries[at].term, Offset(first().value() + static_cast<std::int64_t>(at)));
  }
  return found;
}

void write_to(SimStore& store, const LogRecord& record) {
  if (const auto* term = std::get_if<LogRecord::NewTerm>(&record.what)) {
    store.term = term->term;
    store.version = term->version;
  } else if (const auto* append = std::get_if<LogRecord::Append>(&record.what)) {
    store.append(append->entry);
  } else if (const auto* cut = std::get_if<LogRecord::Cut>(&record.what)) {
    store.cut_above(cut->last_kept);
  } else if (const auto* install = std::get_if<LogRecord::Install>(&record.what)) {
    store.install(install->entry, install->state);
  } else if (const auto* trim = std::get_if<LogRecord::Trim>(&record.what)) {
    store.trim(trim->first_kept);
  } else if (const auto* make = std::get_if<LogRecord::Make>(&record.what)) {
    store = SimStore();
    store.term = make->term;
    store.install(make->entry, make->state);
  }
}

}  // namespace skerry::sim
