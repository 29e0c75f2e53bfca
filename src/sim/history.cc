#include "sim/history.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "log/records.h"

namespace cairn::sim {
namespace {

constexpr size_t kReadBytes = 256 << 10;

uint64_t HashOf(const log::Entry& entry) {
  const log::EntryHeader& h = entry.header;
  uint64_t hash = HashBytes(entry.body());
  for (const uint64_t field :
       {static_cast<uint64_t>(h.kind), uint64_t{h.attributes},
        static_cast<uint64_t>(h.term.value()), h.index.value(), h.base_offset.value(),
        uint64_t{h.record_count}, static_cast<uint64_t>(h.base_timestamp_ms),
        static_cast<uint64_t>(h.max_timestamp_ms), static_cast<uint64_t>(h.producer_id),
        static_cast<uint64_t>(h.producer_epoch), static_cast<uint64_t>(h.base_sequence)}) {
    hash = Mix(hash, field);
  }
  return hash;
}

}  // namespace

std::string KeyOf(std::string_view records) {
  log::RecordsReader reader(records, 0);
  log::RecordView record;
  const auto more = reader.Next(record);
  return more.ok() && *more ? std::string(record.key.value_or("")) : "";
}

void History::Acknowledged(GroupId id, const log::Batch& batch, Offset base, bool duplicate,
                           Offset floor) {
  Group& group = groups_[id];
  ++acknowledged_;
  const std::string key = KeyOf(batch.records);
  world_.Note(
      base::StrCat("ack ", id.value(), " ", base.value(), " ", key, duplicate ? " duplicate" : ""));
  if (base < floor) {
    world_.Find(base::StrCat("group ", id.value(), ": ", key, " was sent after ", floor.value(),
                             " was acknowledged, and got offset ", base.value()));
  }
  const Offset end = base + batch.record_count;
  group.acks.push_back({base, end, key});
  group.floor = std::max(group.floor, end);
  VerifyAcks(id, group);
}

void History::Refused(GroupId id, const log::Batch& batch, const absl::Status& why) {
  Group& group = groups_[id];
  const std::string key = KeyOf(batch.records);
  if (group.keys.contains(key)) {
    world_.Find(base::StrCat("group ", id.value(), ": ", key,
                             " is stored, but was refused: ", why.ToString()));
  }
  group.refused.insert(key);
}

Offset History::Floor(GroupId id) const {
  const auto group = groups_.find(id);
  return group == groups_.end() ? Offset() : group->second.floor;
}

void History::Proven(GroupId id, Offset floor, Offset high_watermark) {
  Group& group = groups_[id];
  if (high_watermark < floor && !group.deleted) {
    world_.Find(base::StrCat("group ", id.value(), ": a read barrier proved ",
                             high_watermark.value(), ", but ", floor.value(),
                             " had been acknowledged"));
  }
  group.floor = std::max(group.floor, high_watermark);
}

void History::Read(GroupId id, const broker::FetchResult& result) {
  Group& group = groups_[id];
  for (const log::Entry& entry : result.entries) {
    if (!Take(id, group, entry, "a reader")) return;
  }
}

void History::Deleted(GroupId id) { groups_[id].deleted = true; }

// False after a finding.
bool History::Take(GroupId id, Group& group, const log::Entry& entry, const std::string& who) {
  const log::EntryHeader& h = entry.header;
  const auto wrong = [&](std::string_view what) {
    world_.Find(base::StrCat("group ", id.value(), ", ", who, ": entry ", h.index.value(), "/",
                             h.term.value(), " at offset ", h.base_offset.value(), " ", what));
    return false;
  };
  const uint64_t hash = HashOf(entry);
  if (const auto known = group.by_index.find(h.index.value()); known != group.by_index.end()) {
    const Fact& fact = known->second;
    if (fact.hash == hash) return true;
    return wrong(base::StrCat("(", KeyOf(entry.body()),
                              ") differs from what was committed there: ", fact.key, " of term ",
                              fact.term.value(), " at offset ", fact.base.value()));
  }
  Fact fact{hash, h.term, h.base_offset, h.end_offset(), ""};
  const auto next = group.by_index.find(h.index.value() + 1);
  if (next != group.by_index.end() &&
      (next->second.base != fact.end || next->second.term < fact.term)) {
    return wrong("does not lead to its successor");
  }
  const auto before = group.by_index.find(h.index.value() - 1);
  if (before != group.by_index.end() &&
      (before->second.end != fact.base || before->second.term > fact.term)) {
    return wrong(base::StrCat("does not continue ", before->first, "/", before->second.term.value(),
                              ", which ends at offset ", before->second.end.value()));
  }
  if (h.kind == log::EntryKind::kBatch) {
    fact.key = KeyOf(entry.body());
    const auto [first, fresh] = group.keys.emplace(fact.key, fact.base);
    if (!fresh && !fact.key.empty()) {  // commands of the controller have none
      return wrong(base::StrCat("holds ", fact.key, ", which is at offset ", first->second.value(),
                                ", too"));
    }
    if (group.refused.contains(fact.key)) {
      return wrong(base::StrCat("holds ", fact.key, ", which was refused"));
    }
    group.index_by_offset[fact.base.value()] = h.index.value();
  }
  ++entries_;
  world_.Note(base::StrCat("commit ", id.value(), " ", h.index.value(), "/", h.term.value(), " ",
                           fact.base.value(), " ", fact.key));
  group.shown_end = std::max(group.shown_end, fact.end);
  group.by_index.emplace(h.index.value(), std::move(fact));
  return true;
}

void History::VerifyAcks(GroupId id, Group& group) {
  std::erase_if(group.acks, [&](const Ack& ack) {
    const auto index = group.index_by_offset.find(ack.base.value());
    if (index == group.index_by_offset.end()) {
      // Not shown yet; or gone by retention before anybody looked.
      if (ack.end <= group.start) return true;
      auto before = group.index_by_offset.upper_bound(ack.base.value());
      if (before == group.index_by_offset.begin()) return false;
      const Fact& covering = group.by_index.at(std::prev(before)->second);
      if (covering.end > ack.base) {
        world_.Find(base::StrCat("group ", id.value(), ": ", ack.key,
                                 " was acknowledged at offset ", ack.base.value(),
                                 ", which is within ", covering.key));
      }
      return false;
    }
    const Fact& fact = group.by_index.at(index->second);
    if (fact.key != ack.key || fact.end != ack.end) {
      world_.Find(base::StrCat("group ", id.value(), ": ", ack.key, " was acknowledged at offset ",
                               ack.base.value(), ", where ", fact.key, " is"));
    }
    return true;
  });
}

void History::Look(Machine& machine, size_t number) {
  if (!machine.up()) return;
  const Machine::Calm calm(machine);
  LookAtMetadata(machine, number);
  if (const auto controller = machine.node().controller_replica(); controller != nullptr) {
    LookAt(machine, number, controller, controller->Status().high_watermark);
  }
  for (const auto& hosted : machine.node().host().All()) {
    if (hosted->replica != nullptr) {
      LookAt(machine, number, hosted->replica, hosted->partition->high_watermark());
    } else if (absl::IsDataLoss(hosted->status) && !machine.rotten()) {
      world_.Find(base::StrCat(machine.name(), ", group ", hosted->spec.group.value(), ": ",
                               hosted->status.ToString()));
    }
  }
}

void History::LookAtMetadata(Machine& machine, size_t number) {
  const auto view = machine.node().metadata();
  if (std::exchange(metadata_[number], view) == view) return;
  const uint64_t hash = HashBytes(view->metadata.Encode());
  const auto [known, fresh] = metadata_hashes_.emplace(view->applied.value(), hash);
  if (!fresh && known->second != hash) {
    world_.Find(base::StrCat(machine.name(), " has other metadata at offset ",
                             view->applied.value(), " than was seen there before"));
  }
}

void History::LookAt(Machine& machine, size_t number,
                     const std::shared_ptr<consensus::RaftReplica>& replica,
                     Offset high_watermark) {
  const GroupId id = replica->group();
  Group& group = groups_[id];
  View& view = views_[{number, id}];
  if (view.boot != machine.boot_number() || view.replica.lock() != replica) {
    view = View{.boot = machine.boot_number(), .replica = replica};
  }
  const std::string& who = machine.name();
  if (replica->is_leader()) {
    const Term term = replica->published_term();
    const auto [leader, fresh] = group.leaders.emplace(term, number);
    if (fresh) {
      world_.Note(base::StrCat("leader ", id.value(), " ", term.value(), " ", who));
    } else if (leader->second != number) {
      world_.Find(base::StrCat("group ", id.value(), ": ", who, " and m", leader->second,
                               " lead in term ", term.value()));
    }
  }
  if (high_watermark < view.high_watermark) {
    world_.Find(base::StrCat("group ", id.value(), ", ", who, ": the high watermark went from ",
                             view.high_watermark.value(), " back to ", high_watermark.value()));
  }
  view.high_watermark = high_watermark;
  const auto log = replica->log();
  group.start = std::max(group.start, log->start_offset());
  if (view.damaged && !log->damaged()) {
    // Repaired: it must show all there is, also of what it could read before.
    view.damaged = false;
    view.next = Index(1);
  }
  if (view.damaged) return;
  const auto fails = [&](const absl::Status& status) {
    if (absl::IsDataLoss(status)) {
      view.damaged = true;
      if (!machine.rotten()) {
        world_.Find(base::StrCat(who, ", group ", id.value(), ", committed up to ",
                                 high_watermark.value(), ": ", status.ToString()));
      }
    }
  };
  view.next = std::max(view.next, log->first_index());
  const Index limit = std::min(replica->committed_here() + 1, log->end_index());
  while (view.next < limit) {
    const auto entries = log->ReadByIndex(view.next, limit, kReadBytes);
    if (!entries.ok()) return fails(entries.status());
    if (entries->empty()) break;
    for (const log::Entry& entry : *entries) {
      if (!Take(id, group, entry, who)) return;
      view.next = entry.header.index + 1;
    }
  }
  VerifyAcks(id, group);
}

std::string History::Missing() const {
  for (const auto& [id, group] : groups_) {
    if (group.deleted || group.acks.empty()) continue;
    const Ack& ack = group.acks.front();
    return base::StrCat("group ", id.value(), ": ", ack.key, ", acknowledged at offset ",
                        ack.base.value(), ", is nowhere");
  }
  return "";
}

bool History::IsComplete(GroupId id, Offset high_watermark) const {
  const auto group = groups_.find(id);
  return group == groups_.end() ||
         high_watermark >= std::max(group->second.shown_end, group->second.floor);
}

}  // namespace cairn::sim
