#include "gossip/swim/member_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "gossip/swim/swim_config.h"

namespace cairn::gossip {

Member* MemberTable::Find(const std::string& name) {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : at->second;
}
const Member* MemberTable::Find(const std::string& name) const {
  return const_cast<MemberTable*>(this)->Find(name);
}

Member& MemberTable::Add(const std::string& name) {
  CAIRN_CHECK(order_.size() < kMaxMembers && !by_name_.contains(name), "a new name, with room");
  order_.push_back(std::make_unique<Member>());
  Member& member = *order_.back();
  member.name = name;
  by_name_[member.name] = &member;
  std::swap(order_.back(), order_[RandomBelow(random_, order_.size())]);
  return member;
}

Member* MemberTable::NextToProbe(absl::FunctionRef<bool(const Member&)> probe,
                                 absl::FunctionRef<bool(const Member&)> forget) {
  // One more than a round: a round may end on the way.
  for (size_t tried = 0; tried <= order_.size(); ++tried) {
    if (next_ >= order_.size()) {
      std::erase_if(order_, [&](const std::unique_ptr<Member>& member) {
        if (!forget(*member)) return false;
        by_name_.erase(member->name);
        return true;
      });
      for (size_t i = order_.size(); i > 1; --i) {
        std::swap(order_[i - 1], order_[RandomBelow(random_, i)]);
      }
      next_ = 0;
      if (order_.empty()) return nullptr;
    }
    Member& member = *order_[next_++];
    if (probe(member)) return &member;
  }
  return nullptr;
}

std::vector<Member*> MemberTable::Pick(size_t count,
                                       absl::FunctionRef<bool(const Member&)> wanted) {
  std::vector<Member*> picked;
  if (order_.size() <= 3 * count) {  // few: look at all of them, in random order
    for (const auto& member : order_) {
      if (wanted(*member)) picked.push_back(member.get());
    }
    for (size_t i = picked.size(); i > 1; --i) {
      std::swap(picked[i - 1], picked[RandomBelow(random_, i)]);
    }
    picked.resize(std::min(picked.size(), count));
    return picked;
  }
  for (size_t tried = 0; tried < 3 * order_.size() && picked.size() < count; ++tried) {
    Member* member = order_[RandomBelow(random_, order_.size())].get();
    if (!wanted(*member)) continue;
    if (std::find(picked.begin(), picked.end(), member) == picked.end()) picked.push_back(member);
  }
  return picked;
}

}  // namespace cairn::gossip
