#include "consensus/stable_store.h"

#include <charconv>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/bytes.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::consensus {
namespace {

constexpr size_t kHexDigits = 16;
constexpr size_t kGroupKeyBytes = 1 + kHexDigits;  // "g" and the group
constexpr size_t kTermBytes = 4;
constexpr size_t kVoteBytes = 8;
constexpr size_t kDepartureBytes = 12;
constexpr std::string_view kFloorKey = "metadata-floor";

std::string GroupKey(GroupId group) { return absl::StrFormat("g%016x", group.value()); }
std::string VoteKey(GroupId group) { return GroupKey(group) + "v"; }
std::string ConfigurationKey(GroupId group, Index index) {
  return absl::StrFormat("g%016xc%016x", group.value(), index.value());
}

std::string DepartureKey(GroupId group) { return absl::StrFormat("d%016x", group.value()); }

std::optional<uint64_t> ParseHex(std::string_view digits) {
  uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// Takes one pair of a group into `state`. `rest` is the key behind the group.
absl::Status TakePair(std::string_view rest, std::string_view value,
                      StableStore::GroupState& state) {
  if (rest == "v" && value.size() == kVoteBytes) {
    state.term = Term(base::LoadLittleEndian<int32_t>(value.data()));
    state.vote = NodeId(base::LoadLittleEndian<int32_t>(value.data() + kTermBytes));
    return absl::OkStatus();
  }
  if (rest.size() == 1 + kHexDigits && rest[0] == 'c' && value.size() >= kTermBytes) {
    if (const auto index = ParseHex(rest.substr(1)); index.has_value()) {
      CAIRN_ASSIGN_OR_RETURN(Configuration configuration,
                             Configuration::Decode(value.substr(kTermBytes)));
      state.configurations[Index(*index)] = {Term(base::LoadLittleEndian<int32_t>(value.data())),
                                             std::move(configuration)};
      return absl::OkStatus();
    }
  }
  return absl::DataLossError(base::StrCat("unknown key \"", rest, "\" or a value of wrong size"));
}

}  // namespace

absl::StatusOr<StableStore::GroupState> StableStore::Load(GroupId group) const {
  GroupState state;
  absl::Status decoded;
  CAIRN_RETURN_IF_ERROR(
      store_.ForEach(GroupKey(group), [&](std::string_view key, std::string_view value) {
        const absl::Status taken = TakePair(key.substr(kGroupKeyBytes), value, state);
        if (decoded.ok()) decoded = taken;
      }));
  CAIRN_RETURN_IF_ERROR(
      store_.ForEach(DepartureKey(group), [&](std::string_view, std::string_view value) {
        if (value.size() != kDepartureBytes) {
          decoded = absl::DataLossError("a departure of wrong size");
          return;
        }
        state.departure.term = Term(base::LoadLittleEndian<int32_t>(value.data()));
        state.departure.index = Index(base::LoadLittleEndian<uint64_t>(value.data() + kTermBytes));
      }));
  if (!decoded.ok()) {
    return absl::DataLossError(base::StrCat("the stable store's data of group ", group.value(),
                                            " are damaged: ", base::StdView(decoded.message())));
  }
  return state;
}

absl::StatusOr<std::vector<GroupId>> StableStore::Groups() const {
  std::vector<GroupId> groups;
  CAIRN_RETURN_IF_ERROR(store_.ForEach("g", [&](std::string_view key, std::string_view) {
    if (key.size() < kGroupKeyBytes) return;
    const auto group = ParseHex(key.substr(1, kHexDigits));
    if (group.has_value() && (groups.empty() || groups.back() != GroupId(*group))) {
      groups.push_back(GroupId(*group));
    }
  }));
  return groups;
}

void StableStore::Changes::SetVote(Term term, NodeId vote) {
  std::string value(kVoteBytes, '\0');
  base::StoreLittleEndian(value.data(), term.value());
  base::StoreLittleEndian(value.data() + kTermBytes, vote.value());
  changes_.push_back({VoteKey(group_), std::move(value)});
}

void StableStore::Changes::SetConfiguration(Index index, Term term,
                                            const Configuration& configuration) {
  std::string value(kTermBytes, '\0');
  base::StoreLittleEndian(value.data(), term.value());
  changes_.push_back({ConfigurationKey(group_, index), value + configuration.Encode()});
}

void StableStore::Changes::RemoveConfiguration(Index index) {
  changes_.push_back({ConfigurationKey(group_, index), std::nullopt});
}

void StableStore::Write(Changes changes, env::Executor& loop,
                        absl::AnyInvocable<void(absl::Status)> done) {
  {
    base::MutexLock lock(mutex_);
    waiting_.push_back({std::move(changes.changes_), &loop, std::move(done)});
    if (waiting_.size() > 1) return;  // whoever came first has posted
  }
  disk_.Post([this] { WriteWaiting(); });
}

void StableStore::WriteWaiting() {
  std::vector<Waiting> group;
  {
    base::MutexLock lock(mutex_);
    group.swap(waiting_);
  }
  std::vector<env::KeyValueStore::Change> changes;
  for (Waiting& one : group) {
    changes.insert(changes.end(), std::make_move_iterator(one.changes.begin()),
                   std::make_move_iterator(one.changes.end()));
  }
  const absl::Status status = store_.Apply(changes);
  for (Waiting& one : group) {
    one.loop->Post([status, done = std::move(one.done)]() mutable { done(status); });
  }
}

absl::Status StableStore::WriteNow(Changes changes) { return store_.Apply(changes.changes_); }

absl::Status StableStore::Remove(GroupId group) {
  std::vector<env::KeyValueStore::Change> changes;
  CAIRN_RETURN_IF_ERROR(
      store_.ForEach(GroupKey(group), [&](std::string_view key, std::string_view) {
        changes.push_back({std::string(key), std::nullopt});
      }));
  return store_.Apply(changes);
}

absl::Status StableStore::Depart(GroupId group, Departure departure) {
  std::string value(kDepartureBytes, '\0');
  base::StoreLittleEndian(value.data(), departure.term.value());
  base::StoreLittleEndian(value.data() + kTermBytes, departure.index.value());
  const env::KeyValueStore::Change change{DepartureKey(group), std::move(value)};
  return store_.Apply({&change, 1});
}

absl::StatusOr<Offset> StableStore::MetadataFloor() const {
  Offset floor;
  CAIRN_RETURN_IF_ERROR(
      store_.ForEach(kFloorKey, [&](std::string_view key, std::string_view value) {
        if (key != kFloorKey || value.size() != sizeof(uint64_t)) return;
        floor = Offset(base::LoadLittleEndian<uint64_t>(value.data()));
      }));
  return floor;
}

absl::Status StableStore::RaiseMetadataFloor(Offset floor) {
  CAIRN_ASSIGN_OR_RETURN(const Offset now, MetadataFloor());
  if (floor <= now) return absl::OkStatus();
  std::string value(sizeof(uint64_t), '\0');
  base::StoreLittleEndian(value.data(), floor.value());
  const env::KeyValueStore::Change change{std::string(kFloorKey), std::move(value)};
  return store_.Apply({&change, 1});
}

}  // namespace cairn::consensus
