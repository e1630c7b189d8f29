// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_file.hpp"

#include <fmt/format.h>

#include "control/metadata_document.hpp"

namespace skerry::control {
namespace {

constexpr std::string_view status_name = "cluster-status";
constexpr std::string_view holder_name = "cluster-status.holder";
constexpr MetadataDocument document{.what = "skerry cluster status", .format = 1};
constexpr Duration lock_retry = 50ms;

}  // namespace

MetadataFile::MetadataFile(Core& core, disk::Disk& disk, Options options)
    : core_(core), disk_(disk), options_(std::move(options)), changed_(core), tasks_(core) {}

// --- taking office

Task<Result<Metadata::Office>> MetadataFile::take_office() {
  if (in_office()) end(*term_, {Errc::aborted, "office was taken again"});
  co_await tasks_.join();   // the last write of the term before
  auto term = std::make_shared<Term>();
  CO_TRY(term->folder, co_await wait_for_folder());
  CO_TRYV(load(*term));
  ++term->epoch;
  CO_TRYV(co_await save(*term));
  CO_TRYV(co_await term->folder->mark());
  CO_TRYV(co_await disk::replace_file(disk_, term->folder->file(holder_name), options_.address));
  if (stopping_) co_return fail(Errc::closed, "this coordinator is stopping");
  term_ = term;
  tasks_.spawn(write_gathered(term));
  co_return Office{term->epoch, term->wanted.items()};
}

Task<Result<std::unique_ptr<MetadataFolder>>> MetadataFile::wait_for_folder() {
  while (!stopping_) {
    auto folder = MetadataFolder::open(disk_, options_.folder, "file");
    if (folder || folder.error() != make_error_code(Errc::already_exists)) co_return std::move(folder);
    // Who it says may be gone by now; better than nobody.
    if (auto holder = disk::read_file(disk_, fmt::format("{}/{}", options_.folder, holder_name)))
      seen_holder_ = *std::move(holder);
    co_await core_.sleep_for(lock_retry);
  }
  co_return fail(Errc::closed, "this coordinator is stopping");
}

Result<> MetadataFile::load(Term& term) const {
  const std::string path = term.folder->file(status_name);
  TRY(const bool there, disk_.exists(path));
  if (!there && !term.folder->marked()) return {};
  if (!there) return fail(Errc::corrupt, fmt::format("{} is missing: restore it from a backup", path));
  TRY(const Bytes whole, disk::read_file(disk_, path));
  TRY(const BytesView body, document.open(whole, path));
  ByteReader reader(body);
  term.epoch = static_cast<std::int64_t>(reader.varint());
  Result<MetadataItems> items = decode_items(reader.rest());
  if (!reader.ok() || !items) return fail(Errc::corrupt, fmt::format("{} makes no sense: restore it from a backup", path));
  term.wanted = MetadataTable(*std::move(items));
  return {};
}

Task<Result<>> MetadataFile::save(const Term& term) {
  Bytes body;
  append_varint(body, static_cast<std::uint64_t>(term.epoch));
  body += encode(term.wanted.items());
  co_return co_await disk::replace_file(disk_, term.folder->file(status_name), document.seal(body));
}

// --- in office

Task<Result<>> MetadataFile::commit(std::vector<MetadataChange> changes) {
  if (!in_office()) co_return fail(Errc::aborted, fmt::format("this coordinator is not in office in {}", options_.folder));
  const std::shared_ptr<Term> term = term_;
  CO_TRYV(term->wanted.check(changes));
  term->wanted.apply(changes);
  const std::uint64_t mine = ++term->changes;
  changed_.notify_all();
  while (term->written < mine && !term->ended) co_await changed_.wait();
  if (term->written < mine) co_return fail(*term->ended);
  co_return Result<>{};
}

Task<> MetadataFile::write_gathered(std::shared_ptr<Term> term) {
  for (;;) {
    while (term->written == term->changes && !term->ended) co_await changed_.wait();
    if (term->ended) break;
    const std::uint64_t up_to = term->changes;
    const Result<> kept = co_await save(*term);
    if (kept) {
      term->written = up_to;
      changed_.notify_all();
    } else {
      end(*term, {Errc::io_failed, kept.error().message()});
    }
  }
  term->folder.reset();
}

// Whoever writes for it lets the folder go: until then nobody else may touch it.
void MetadataFile::end(Term& term, Error reason) {
  if (!term.ended) term.ended = std::move(reason);
  changed_.notify_all();
}

Task<> MetadataFile::wait_ousted() {
  const std::shared_ptr<Term> term = term_;
  while (term && !term->ended) co_await changed_.wait();
}

std::string MetadataFile::holder() const { return in_office() ? options_.address : seen_holder_; }

Task<> MetadataFile::stop() {
  stopping_ = true;
  while (in_office() && term_->written < term_->changes) co_await changed_.wait();
  if (in_office()) end(*term_, {Errc::aborted, "this coordinator is stopping"});
  co_await tasks_.cancel_and_join();
  if (term_) term_->folder.reset();
}

}  // namespace skerry::control
