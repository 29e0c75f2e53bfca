#include "env/sim_tree.h"

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <utility>

namespace cairn::env {
namespace {

constexpr uint64_t kDefaultCapacityBytes = uint64_t{1} << 40;

// Copies a tree node by node; a file with two names stays one file.
class Copier {
 public:
  SimInodePtr Copy(const SimInodePtr& from) {
    if (from == nullptr) return nullptr;
    auto [at, is_new] = copies_.try_emplace(from.get());
    if (!is_new) return at->second;
    auto to = std::make_shared<SimInode>();
    at->second = to;
    to->is_directory = from->is_directory;
    to->data = from->data.KilledCopy();
    to->links = from->links;
    if (from->links > 0) to->allocated_bytes = from->allocated_bytes;
    used_bytes_ += to->allocated_bytes;
    for (const auto& [name, inode] : from->entries) to->entries.emplace(name, Copy(inode));
    for (const auto& [name, inode] : from->durable_entries) {
      to->durable_entries.emplace(name, Copy(inode));
    }
    return to;
  }
  uint64_t used_bytes() const { return used_bytes_; }

 private:
  std::unordered_map<const SimInode*, SimInodePtr> copies_;
  uint64_t used_bytes_ = 0;
};

}  // namespace

SimTree::SimTree() : root_(std::make_shared<SimInode>()), capacity_bytes_(kDefaultCapacityBytes) {
  root_->is_directory = true;
  root_->links = 1;
}

int SimTree::Find(std::string_view path, Place& place) const {
  place = {nullptr, "", root_};
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (place.inode == nullptr) return ENOENT;
    if (!place.inode->is_directory) return ENOTDIR;
    if (name == "..") return EINVAL;  // nobody here needs it
    const auto found = place.inode->entries.find(name);
    SimInodePtr next = found == place.inode->entries.end() ? nullptr : found->second;
    place = {std::move(place.inode), std::string(name), std::move(next)};
  }
  return 0;
}

SimInodePtr SimTree::Create(const Place& place, bool is_directory) {
  auto inode = std::make_shared<SimInode>();
  inode->is_directory = is_directory;
  Do({NextSequence(), false, {{place.directory, place.name, inode}}});
  return inode;
}

void SimTree::Remove(const Place& place) {
  Do({NextSequence(), false, {{place.directory, place.name, nullptr}}});
}

void SimTree::Rename(const Place& from, const Place& to) {
  Do({NextSequence(),
      from.inode->is_directory,
      {{from.directory, from.name, nullptr}, {to.directory, to.name, from.inode}}});
}

void SimTree::SetName(SimEntries& entries, const std::string& name, const SimInodePtr& inode) {
  if (inode == nullptr) {
    entries.erase(name);
  } else {
    entries.insert_or_assign(name, inode);
  }
}

void SimTree::Do(Operation operation) {
  for (const NameChange& change : operation.changes) {
    SimEntries& entries = change.directory->entries;
    const auto old = entries.find(change.name);
    const SimInodePtr replaced = old == entries.end() ? nullptr : old->second;
    SetName(entries, change.name, change.inode);
    if (change.inode != nullptr) ++change.inode->links;
    if (replaced != nullptr) {
      --replaced->links;
      // The changes of one rename take a file's name before they give it another.
      if (operation.changes.back().inode != replaced) ReleaseIfUnused(*replaced);
    }
  }
  pending_.push_back(std::move(operation));
}

void SimTree::ForgetBefore(size_t operation, const NameChange& change) {
  for (size_t i = 0; i < operation; ++i) {
    std::erase_if(pending_[i].changes, [&](const NameChange& earlier) {
      return earlier.directory == change.directory && earlier.name == change.name;
    });
  }
}

void SimTree::SyncDirectory(const SimInodePtr& directory, CrashDice* failing) {
  for (size_t i = 0; i < pending_.size(); ++i) {
    Operation& operation = pending_[i];
    const auto is_ours = [&](const NameChange& c) { return c.directory == directory; };
    if (std::ranges::none_of(operation.changes, is_ours)) continue;
    const bool survives =
        failing == nullptr || failing->Keep(operation.sequence, i + 1 == pending_.size());
    std::erase_if(operation.changes, [&](const NameChange& change) {
      if (!is_ours(change) && !operation.moves_directory) return false;
      if (survives) {
        SetName(change.directory->durable_entries, change.name, change.inode);
        ForgetBefore(i, change);
      }
      return true;
    });
  }
  std::erase_if(pending_, [](const Operation& operation) { return operation.changes.empty(); });
}

uint64_t SimTree::Grow(SimInode& file, uint64_t end) {
  if (end > file.allocated_bytes) {
    const uint64_t granted = std::min(end - file.allocated_bytes, free_bytes());
    file.allocated_bytes += granted;
    used_bytes_ += granted;
  }
  return file.allocated_bytes;
}

void SimTree::Shrink(SimInode& file, uint64_t end) {
  if (end >= file.allocated_bytes) return;
  used_bytes_ -= file.allocated_bytes - end;
  file.allocated_bytes = end;
}

void SimTree::ReleaseIfUnused(SimInode& file) {
  if (file.links == 0 && file.opens == 0) Shrink(file, 0);
}

uint64_t SimTree::free_bytes() const {
  return capacity_bytes_ - std::min(capacity_bytes_, used_bytes_);
}

SimTree SimTree::AfterCrash(const CrashChoice& choice) const {
  CrashDice dice(choice, next_sequence_);
  std::vector<const NameChange*> surviving;
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (!dice.Keep(pending_[i].sequence, i + 1 == pending_.size())) continue;
    for (const NameChange& change : pending_[i].changes) surviving.push_back(&change);
  }

  SimTree after;
  after.next_sequence_ = next_sequence_;
  after.capacity_bytes_ = capacity_bytes_;
  std::unordered_map<const SimInode*, SimInodePtr> copies;
  const std::function<SimInodePtr(const SimInode&)> copy = [&](const SimInode& from) {
    auto to = std::make_shared<SimInode>();
    to->is_directory = from.is_directory;
    if (!from.is_directory) {
      to->data = SimFileData(from.data.Survivors(dice));
      to->allocated_bytes = to->data.size();
      after.used_bytes_ += to->allocated_bytes;
      return to;
    }
    to->entries = from.durable_entries;
    for (const NameChange* change : surviving) {
      if (change->directory.get() == &from) SetName(to->entries, change->name, change->inode);
    }
    for (auto& [name, inode] : to->entries) {
      SimInodePtr& copied = copies[inode.get()];
      if (copied == nullptr) copied = copy(*inode);
      ++copied->links;
      inode = copied;
    }
    to->durable_entries = to->entries;
    return to;
  };
  after.root_ = copy(*root_);
  after.root_->links = 1;
  return after;
}

SimTree SimTree::AfterKill() const {
  Copier copier;
  SimTree after;
  after.root_ = copier.Copy(root_);
  after.pending_ = pending_;
  for (Operation& operation : after.pending_) {
    for (NameChange& change : operation.changes) {
      change.directory = copier.Copy(change.directory);
      change.inode = copier.Copy(change.inode);
    }
  }
  after.next_sequence_ = next_sequence_;
  after.capacity_bytes_ = capacity_bytes_;
  after.used_bytes_ = copier.used_bytes();
  return after;
}

}  // namespace cairn::env
